// `npm run test:nightly`: `npm test` with the tests that take too long for every change. They ask for NIGHTLY in the
// environment.
process.env["NIGHTLY"] = "1";
await import("./test.ts");
