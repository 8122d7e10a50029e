// Shows what the late flights job has written so far, and what else there is to try.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("out/late-flights", import.meta.url));
const shownCount = 3;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Names that begin with `_` or `.` are not data. */
const files = existsSync(folder) ? readdirSync(folder).filter((name) => /^[^_.].*\.csv$/.test(name)) : [];
const rows = files.flatMap((name) => readFileSync(`${folder}/${name}`, "utf8").trimEnd().split("\n").slice(1));
const latest = rows
  .map((row) => row.split(","))
  .sort((a, b) => Number(b[1]) - Number(a[1]))
  .slice(0, shownCount);

const count = (number: number) => number.toLocaleString("en");
print(`\n${count(rows.length)} late flights in ${count(files.length)} files: jobs/flights/out/late-flights`);
print("The latest of them:");
for (const [departure = "", delayMinutes = "", miles = ""] of latest) {
  print(`  planned for ${departure}, left ${count(Number(delayMinutes))} minutes late, ${count(Number(miles))} miles`);
}
print(`
More to try:
  npm run flights -- --more                        one more hour of flights arrives; then: npm start
  npx runtime start jobs/flights/delay-report.ts   another job over the same flights`);
