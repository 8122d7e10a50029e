// The floor of W3: psql's COPY of the same rows from a file, in one transaction, without reading Kafka or JSON.
import { existsSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { paymentOf } from "../payments-topic.ts";
import type { Contestant } from "../workloads/contestant.ts";

const LINES_AT_ONCE = 20_000;

/** Nobody here encrypts what goes to the same machine. */
const env = { PGSSLMODE: "disable" };

/** psql's COPY; the file is made before its time begins. */
export const psqlCopy: Contestant = {
  name: "psql-copy",
  label: "psql COPY of the same rows from a file",
  side: "floor",
  prepare: async ({ root }) => {
    return async ({ records, database, postgresBin, output }) => {
      const file = join(root, "bench", `rows-${records}.tsv`);
      await writeRows(file, records);
      const commands = ["\\timing on", `\\copy ${output} from '${file}'`].flatMap((command) => ["-c", command]);
      return { file: join(postgresBin, "psql"), args: ["-q", "-X", database, ...commands], env };
    };
  },
  read: (stdout) => ({ workMs: Number(/^Time: ([\d.]+) ms/m.exec(stdout)?.[1]) }),
};

/** Writes the rows of the first `records` payments that are large, as COPY reads them, unless they are there. */
async function writeRows(path: string, records: number): Promise<void> {
  if (existsSync(path)) return;
  const unfinished = `${path}.unfinished`;
  {
    await using file = await open(unfinished, "w");
    let lines: string[] = [];
    for (let next = 0; next < records; next++) {
      const { id, user, amount } = paymentOf(next);
      if (amount > 50) lines.push(`${id}\t${user}\t${amount}\n`);
      if (lines.length < LINES_AT_ONCE) continue;
      await file.write(lines.join(""));
      lines = [];
    }
    await file.write(lines.join(""));
  }
  await rename(unfinished, path);
}
