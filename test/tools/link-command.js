// Runs after every install (npm's `prepare`). npm links the commands of other packages, but not a package's own: so
// that `npx runtime` works here as it does for users, this links it. Plain JavaScript: it runs on whatever Node npm
// has.
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const commands = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));
if (process.platform !== "win32") {
  mkdirSync(commands, { recursive: true });
  rmSync(join(commands, "runtime"), { force: true });
  symlinkSync(join("..", "..", "runtime", "cli", "launch.js"), join(commands, "runtime"));
}
