// The machine's Java: whether it is there and new enough. Nothing is installed: the error says what to type.
import { ConfigError } from "../../runtime/errors.ts";
import { runProgram } from "./run-program.ts";

const oldest = 17;

/** What to type when Java or Maven is missing. */
export const javaInstallHint =
  "apt-get install default-jre-headless maven (Debian, Ubuntu), or: brew install openjdk maven (macOS)";

/** What every Java process here is given: no files in the system's temporary folder, no windows. */
export const javaDefaults = ["-XX:-UsePerfData", "-Djava.awt.headless=true"] as const;

/** @throws ConfigError there is no Java, or it is older than 17 */
export async function requireJava(signal: AbortSignal): Promise<void> {
  const { stdout, stderr } = await runProgram("java", ["-version"], { installHint: javaInstallHint, signal });
  const [, version = ""] = /version "(\d+)/.exec(stderr + stdout) ?? [];
  if (Number(version) >= oldest) return;
  const found = version === "" ? "`java -version` does not say which Java it is" : `Java ${version} is too old`;
  throw new ConfigError(`${found}: ${oldest} or later is needed`, { hint: javaInstallHint });
}
