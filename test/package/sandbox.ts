// A temporary folder to install things in and run commands in, as a user would; and a job to run there.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, with a slash at its end. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  /** Folders that come first on PATH. */
  readonly first?: readonly string[];
}

/** PATH without this project's own commands: what a user's shell has. */
function userPath(): string {
  const { PATH = "" } = process.env;
  const folders = PATH.split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders.join(delimiter);
}

/** Runs a command to its end, without a terminal and without what npm left in the environment. */
export function run(file: string, args: readonly string[], { cwd, first = [] }: RunOptions): Promise<Outcome> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|VITEST|NODE_)/i.test(name)));
  env["NODE_DISABLE_COMPILE_CACHE"] = "1"; // tsc keeps one among the temporary files
  env["PATH"] = [...first, userPath()].join(delimiter);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ code, stdout: String(Buffer.concat(out)), stderr: String(Buffer.concat(err)) }),
    );
  });
}

/** Like `run`. @throws when the command fails, with what it printed */
export async function mustRun(file: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const outcome = await run(file, args, options);
  if (outcome.code === 0) return outcome;
  throw new Error(`${file} ${args.join(" ")} exited with ${outcome.code}\n${outcome.stdout}${outcome.stderr}`);
}

/** A new temporary folder, gone at the end of the scope that holds it. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "tidemark-package-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes files into a folder, made if need be; objects become JSON. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | object>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content, null, 2));
  }
}

/** Copies what git knows or would add, as a fresh clone has it. */
export async function copyWorkTree(folder: string): Promise<void> {
  const listed = await mustRun("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: root });
  for (const path of listed.stdout.split("\0").filter((path) => path !== "")) {
    cpSync(join(root, path), join(folder, path), { verbatimSymlinks: true, force: true });
  }
}

/** The rows that a file sink has made visible, file by file in the order of their names. */
export function readRows(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => !/^[_.]/.test(name));
  return files.sort().flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"));
}
