// What every npm script goes through: installs what the project needs, unless it is there already, and then runs a file
// on the project's own Node (the `node` package), whatever Node the machine has. Plain JavaScript and built-in modules
// only: it runs before anything is installed. Usage: node test/tools/run.js FILE [ARGUMENT…]
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { passThrough } from "../../runtime/cli/pass-through.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "node_modules");
const node = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");

/**
 * @param {string} message
 * @returns {never}
 */
function giveUp(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/**
 * The packages of a lock file by their place below the root.
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean, devOptional?: boolean }>}
 */
function lockedPackages(path) {
  const { "": _root, ...packages } = JSON.parse(readFileSync(path, "utf8")).packages;
  return packages;
}

/** Whether node_modules holds what package-lock.json asks for, by npm's own record of what it installed. */
function isInstalled() {
  const record = join(modules, ".package-lock.json");
  if (!existsSync(record)) return false;
  const installed = lockedPackages(record);
  return Object.entries(lockedPackages(join(root, "package-lock.json"))).every(([place, { version, optional }]) =>
    installed[place] === undefined ? optional === true : installed[place].version === version,
  );
}

function install() {
  process.stderr.write("Installing what the project needs (npm ci) …");
  const startMs = Date.now();
  // The machine's Node may be older than what some packages ask for; they run on the project's own.
  const npm = spawnSync("npm", ["ci", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (npm.error) giveUp(`\nnpm cannot be run (${npm.error.message}). It comes with Node: install Node 20 or later.`);
  if (npm.status !== 0) giveUp(`\n${npm.stdout}${npm.stderr}\nThat failed. To try again, type: npm ci`);
  process.stderr.write(` done in ${Math.round((Date.now() - startMs) / 1000)} s.\n`);
}

const major = Number(process.versions.node.split(".")[0]);
if (major < 20) giveUp(`Node 20 or later is needed, and this is ${process.versions.node}. See nodejs.org/download.`);
if (!isInstalled()) install();
if (!existsSync(node)) {
  giveUp(
    "The project's own Node is missing: the `node` package unpacks it in an install script, and npm was told to\n" +
      "run none. Type: npm rebuild node --ignore-scripts=false",
  );
}
const [file, ...args] = process.argv.slice(2);
if (file !== undefined) {
  const { PATH = "" } = process.env;
  const path = `${join(modules, ".bin")}${delimiter}${PATH}`;
  passThrough(node, [file, ...args], { ...process.env, PATH: path });
}
