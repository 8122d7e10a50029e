// Runs the command `runtime` as its users do: as a process of its own, in a temporary folder with real job files.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../../runtime/cli/launch.js", import.meta.url));

/** A process that hangs is a failure of its test, not of the whole run. */
const DEADLINE_MS = 25_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly done: Promise<Outcome>;
  signal(name: NodeJS.Signals): void;
  /** Resolves once stderr has matched; rejects when the command ends without it. */
  seen(pattern: RegExp): Promise<void>;
}

/** A temporary folder with files in it; removed when it is disposed of. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tidemark-cli-"));

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  /** All data lines of the files of a folder, in order of the files' names. */
  lines(name: string): string[] {
    const folder = join(this.path, name);
    const files = readdirSync(folder)
      .filter((file) => /^[^_.]/.test(file))
      .sort();
    return files.flatMap((file) => readFileSync(join(folder, file), "utf8").trimEnd().split("\n"));
  }

  /** Runs a command in this folder to its end. */
  runtime(...args: readonly string[]): Promise<Outcome> {
    return this.begin(...args).done;
  }

  /** Starts a command in this folder. */
  begin(...args: readonly string[]): Running {
    const { npm_config_user_agent: _, NO_COLOR: __, FORCE_COLOR: ___, ...env } = process.env;
    const child = spawn(process.execPath, [launcher, ...args], {
      cwd: this.path,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let isOver = false;
    const watchers = new Set<() => void>();
    const tell = () => {
      for (const look of watchers) look();
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      tell();
    });
    const deadline = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
    const done = new Promise<Outcome>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        clearTimeout(deadline);
        isOver = true;
        tell();
        resolve({ code, stdout, stderr });
      });
    });
    const seen = (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (!pattern.test(stderr) && !isOver) return;
          watchers.delete(look);
          if (pattern.test(stderr)) resolve();
          else reject(new Error(`ended without ${pattern}:\n${stderr}`));
        };
        watchers.add(look);
        look();
      });
    return { done, seen, signal: (name) => child.kill(name) };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Lines wider than a terminal of 80 columns. */
export function wideLines(text: string): string[] {
  return text.split("\n").filter((line) => line.length > 80);
}

/** Numbers that are another in each run, by what they are. */
export function steady(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "<time>")
    .replace(/\b[\d,.]+ (ms|s)\b/g, "<span>")
    .replace(/ \([\d,.]+ records\/s\)/g, "")
    .replace(/lineage\s+[0-9a-f]{8}/g, "lineage <id>");
}
