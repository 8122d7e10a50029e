// Results as JSON for other programs: offsets are bigint and become strings, times stay milliseconds, undefined
// becomes null, so that every field is always there.

/** The value as JSON; `indent`: one field a line. */
export function toJson(value: unknown, { indent }: { indent: boolean }): string {
  const plain = (_: string, field: unknown) => (typeof field === "bigint" ? String(field) : (field ?? null));
  return JSON.stringify(value, plain, indent ? 2 : undefined);
}
