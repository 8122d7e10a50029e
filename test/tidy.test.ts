// The house style as a test: what can be checked of CONTRIBUTING.md by looking at the files. A rule that must be broken
// somewhere names the place and the reason here.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const maxFileLines = 500;
const maxFunctionLines = 70;
const maxColumns = 120;

/** Functions that may be longer, as `path:name`, each with its reason. */
const longFunctions = new Map<string, string>([]);

const paths = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((path) => path !== "" && existsSync(root + path))
  .sort();
const files = paths.map((path) => ({ path, text: readFileSync(root + path, "utf8") }));
const sources = files.filter(({ path }) => /\.(ts|js|mjs)$/.test(path));
const product = sources.filter(({ path }) => /^(runtime|connectors|checkpoints)\//.test(path));
const runtime = product.filter(({ path }) => path.startsWith("runtime/"));

/** Every line that matches, as `path:line: text`. */
function linesMatching(searched: readonly { path: string; text: string }[], pattern: RegExp): string[] {
  return searched.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

function parse({ path, text }: { path: string; text: string }): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

function lineCount(file: ts.SourceFile, node: ts.Node): number {
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line;
  return lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
}

function nameOf(node: ts.Node): string {
  const named = ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent) ? node.parent : node;
  return ts.getNameOfDeclaration(named as ts.Declaration)?.getText() ?? "anonymous";
}

/** A function that holds tests is a chapter, not a routine: only the tests in it are measured. */
function holdsTests(node: ts.Node): boolean {
  const isTest = ts.isCallExpression(node) && /^(describe|it|test)\b/.test(node.expression.getText());
  return isTest || (ts.forEachChild(node, (child) => holdsTests(child) || undefined) ?? false);
}

function longFunctionsOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && lineCount(file, node) > maxFunctionLines && !holdsTests(node)) {
      const name = `${file.fileName}:${nameOf(node)}`;
      if (!longFunctions.has(name)) found.push(`${name} has ${lineCount(file, node)} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** The functions and classes that a file exports without saying what they are for. */
function undocumentedExports(file: ts.SourceFile): string[] {
  return file.statements
    .filter((node) => ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node))
    .filter((node) => node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    .filter((node, index, all) => !all.slice(0, index).some((earlier) => nameOf(earlier) === nameOf(node)))
    .filter((node) => ts.getJSDocCommentsAndTags(node).length === 0)
    .map((node) => `${file.fileName}: ${nameOf(node)}`);
}

test("no file has more than 500 lines", () => {
  const long = sources.filter(({ text }) => text.split("\n").length - 1 > maxFileLines).map(({ path }) => path);
  expect(long).toEqual([]);
});

test("no function has more than 70 lines", () => {
  expect(sources.flatMap((file) => longFunctionsOf(parse(file)))).toEqual([]);
});

test("no line of code is wider than 120 columns", () => {
  expect(linesMatching(sources, new RegExp(`^.{${maxColumns + 1},}`, "u"))).toEqual([]);
});

test("every source file opens with a comment that says what it is for", () => {
  const silent = sources.filter(({ text }) => !/^(#!.*\n)?(\/\/ \S|\/\*\*)/.test(text)).map(({ path }) => path);
  expect(silent).toEqual([]);
});

test("every exported function and class says what it is for", () => {
  expect(product.flatMap((file) => undocumentedExports(parse(file)))).toEqual([]);
});

test("files and folders have kebab-case names, and none is a drawer for everything", () => {
  const odd = sources.filter(({ path }) => !/^([a-z0-9.-]+\/)*[a-z0-9.-]+$/.test(path)).map(({ path }) => path);
  const drawers = paths.filter((path) => /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.[a-z]+$)/.test(path));
  expect([...odd, ...drawers]).toEqual([]);
});

test("index files are the package's own and each connector's, no others", () => {
  const indexes = paths.filter((path) => /^index\.[a-z]+$/.test(basename(path)));
  const allowed = (path: string) => path === "runtime/index.ts" || dirname(dirname(path)) === "connectors";
  expect(indexes.filter((path) => !allowed(path))).toEqual([]);
});

test("no leftover markers, no focused tests, no debugger", () => {
  const markers = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|");
  expect(linesMatching(sources, new RegExp(`\\b(${markers})\\b|\\bdebugger;|\\b(describe|it|test)\\.only\\(`))).toEqual(
    [],
  );
});

test("only runtime/clock.ts reads the clock or sets a timer in runtime/", () => {
  const reads = /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b/;
  const waits = /\bset(Timeout|Interval)\b|\bAbortSignal\.timeout\b|node:timers/;
  const others = runtime.filter(({ path }) => path !== "runtime/clock.ts");
  expect([...linesMatching(others, reads), ...linesMatching(others, waits)]).toEqual([]);
});

test("no event emitters in the core", () => {
  expect(linesMatching(runtime, /\bEventEmitter\b|\bEventTarget\b|from "node:events"/)).toEqual([]);
});

test("nothing tells of the machine it was written on", () => {
  const places = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "registry\\.npm" + "js", "repo\\d?\\.maven"].join("|");
  expect(linesMatching(files, new RegExp(places))).toEqual([]);
});

test("ARCHITECTURE.md gives a reason for every dependency", () => {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const architecture = readFileSync(`${root}ARCHITECTURE.md`, "utf8");
  const names = Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
  expect(names.filter((name) => !architecture.includes(`\`${name}\``))).toEqual([]);
});
