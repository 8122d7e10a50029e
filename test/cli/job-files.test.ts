// A job file that cannot be used: one screen, the line that matters, what to do about it, exit code 2, and no stack
// trace.
import { expect, test } from "vitest";
import { Folder } from "./command.ts";
import { job, log } from "./sample-jobs.ts";

interface Mistake {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly typed?: string;
  readonly says: string;
}

const mistakes: Mistake[] = [
  {
    what: "a file that does not exist",
    files: { "payments.ts": "" },
    typed: "paymets.ts",
    says: `error: there is no file paymets.ts
hint: did you mean payments.ts?
`,
  },
  {
    what: "a folder",
    files: { "jobs/job.ts": "" },
    typed: "jobs",
    says: `error: jobs is a folder, not a job file
hint: is it jobs/job.ts?
`,
  },
  {
    what: "a file of another kind",
    files: { "job.json": "{}" },
    typed: "job.json",
    says: `error: job.json is no job file: its name does not end with .ts, .mts, .js, .mjs
hint: a job is an ES module with a default export made by defineJob
`,
  },
  {
    what: "a file that does not compile",
    files: { "job.ts": 'import { defineJob } from "tidemark";\n\nexport default defineJob({ name: });\n' },
    says: `error: job.ts does not compile: Expression expected

  job.ts:3:34
    1 | import { defineJob } from "tidemark";
    2 |
  > 3 | export default defineJob({ name: });
      |                                  ^
    4 |

`,
  },
  {
    what: "an error that only the engine of Node finds, in an imported file",
    files: { "job.ts": 'import "./other.ts";\n', "other.ts": "const a: number = 1;\nconst a: number = 2;\n" },
    says: `error: FOLDER/other.ts does not compile: Identifier 'a' has already been declared

  other.ts:2:7
    1 | const a: number = 1;
  > 2 | const a: number = 2;
      |       ^
    3 |

`,
  },
  {
    what: "TypeScript that cannot be erased",
    files: { "job.ts": "enum Colour { Red }\nexport default Colour;\n" },
    says: `error: job.ts has what Node cannot run: TypeScript enum

  job.ts:1:1
  > 1 | enum Colour { Red }
      | ^
    2 | export default Colour;

hint: use a union of strings, or an object "as const" (the editor says so with "erasableSyntaxOnly": true)
`,
  },
  {
    what: "no default export",
    files: { "job.ts": "export const a = 1;\n" },
    says: `error: job.ts has no default export
hint: export default defineJob({ name: …, source: …, pipeline: …, sink: … })
`,
  },
  {
    what: "a job that is exported by name",
    files: { "job.ts": job().replace("export default", "export const payments =") },
    says: `error: job.ts exports its job as "payments", and must export it as default
hint: write: export default payments
`,
  },
  {
    what: "a default export that is no job",
    files: { "job.ts": "export default { source: 1, pipeline: 2 };\n" },
    says: `error: the default export of job.ts is the plain object that defineJob takes, not a job
hint: export default defineJob({ name: …, source: …, pipeline: …, sink: … })
`,
  },
  {
    what: "a wrong option",
    files: {
      "job.ts": 'import { defineJob } from "tidemark";\nexport default defineJob({ name: "a", sourc: 1 } as never);\n',
    },
    says: `error: job.ts: defineJob has no option "sourc"

  job.ts:2:16
    1 | import { defineJob } from "tidemark";
  > 2 | export default defineJob({ name: "a", sourc: 1 } as never);
      |                ^
    3 |

hint: did you mean "source"?
`,
  },
  {
    what: "a file that throws while it loads",
    files: {
      "job.ts": "const config: { a?: { b: number } } = {};\nexport default (config.a as never as { b: number }).b;\n",
    },
    says: `error: job.ts throws while it loads: TypeError: Cannot read properties of undefined (reading 'b')

  job.ts:2:53
    1 | const config: { a?: { b: number } } = {};
  > 2 | export default (config.a as never as { b: number }).b;
      |                                                     ^
    3 |

`,
  },
  {
    what: "a package that is not installed",
    files: { "job.ts": 'import pg from "pg-not-there/lib";\nexport default pg;\n' },
    says: `error: job.ts imports "pg-not-there", which is not installed

  job.ts:1:16
  > 1 | import pg from "pg-not-there/lib";
      |                ^
    2 | export default pg;

hint: type: npm install pg-not-there
`,
  },
  {
    what: "a file imported without its extension",
    files: { "job.ts": 'import { a } from "./lib/a";\nexport default a;\n', "lib/a.ts": "export const a = 1;\n" },
    says: `error: job.ts imports "./lib/a", and there is no such file

  job.ts:1:19
  > 1 | import { a } from "./lib/a";
      |                   ^
    2 | export default a;

hint: write the whole name of the file: "./lib/a.ts"
`,
  },
  {
    what: "a part of tidemark that does not exist",
    files: { "job.ts": 'import { fileSink } from "tidemark/connectors/file";\nexport default fileSink;\n' },
    says: `error: there is no "tidemark/connectors/file"

  job.ts:1:26
  > 1 | import { fileSink } from "tidemark/connectors/file";
      |                          ^
    2 | export default fileSink;

hint: did you mean "tidemark/connectors/files"?
`,
  },
  {
    what: "a name imported from the wrong part of tidemark",
    files: { "job.ts": 'import { fileSink } from "tidemark";\nexport default fileSink;\n' },
    says: `error: job.ts imports "fileSink" from "tidemark", which does not export it

  job.ts:1:10
  > 1 | import { fileSink } from "tidemark";
      |          ^
    2 | export default fileSink;

hint: import { fileSink } from "tidemark/connectors/files"
`,
  },
  {
    what: "an await that never ends",
    files: { "job.ts": "await new Promise(() => {});\n" },
    says: "error: the job awaits something that never ends (is there an await at the top of its file?)\n",
  },
];

test.concurrent.each(mistakes)("$what", async ({ files, typed = "job.ts", says }) => {
  using folder = new Folder(files);
  const { code, stdout, stderr } = await folder.runtime("start", typed);
  expect(stderr).toBe(says.replaceAll("FOLDER", folder.path));
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
});

test.concurrent("--verbose adds the stack trace and its causes", async () => {
  using folder = new Folder({ "job.ts": 'throw new Error("no", { cause: new Error("the reason") });\n' });
  const { code, stderr } = await folder.runtime("start", "job.ts", "--verbose");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^ +at .*job\.ts:1:7/m);
  expect(stderr).toMatch(/^caused by: Error: the reason$/m);
});

test.concurrent("two jobs of one name are refused before anything runs", async () => {
  using folder = new Folder({ ...log(10), "a.ts": job(), "b.ts": job() });
  const { code, stdout, stderr } = await folder.runtime("start", "a.ts", "b.ts");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(`error: two jobs are named "evens": a.ts and b.ts
hint: a job's name is the key of its checkpoint: give each its own
`);
});

test.concurrent.each(["job.ts", "job.mts", "job.js", "job.mjs"])(
  "%s runs beside a CommonJS package.json",
  async (name) => {
    const isTypeScript = name.endsWith("ts");
    const text = isTypeScript
      ? job()
      : job()
          .replace(/^interface.*$/m, "")
          .replace("<Line>", "");
    using folder = new Folder({ ...log(10), "package.json": '{ "type": "commonjs" }', [name]: text });
    const { code, stderr } = await folder.runtime("start", name);
    expect({ code, warnings: stderr.match(/warning/gi) }).toEqual({ code: 0, warnings: null });
    expect(folder.lines("out")).toHaveLength(15);
  },
);

test.concurrent("a job and the command share one tidemark, also through a module of the job's own", async () => {
  using folder = new Folder({
    ...log(10),
    "package.json": '{ "type": "commonjs" }',
    "job.ts": job({ options: "onPoisonRecord: deadLetter(letters)," }).replace(
      "import { fileSink",
      'import { letters } from "./letters.ts";\nimport { fileSink',
    ),
    "letters.ts":
      'import { fileSink } from "tidemark/connectors/files";\nexport const letters = fileSink({ dir: "letters" });\n',
  });
  const { code } = await folder.runtime("start", "job.ts");
  expect(code).toBe(0);
});
