// A reader of CSV (RFC 4180) that shares nothing with the writer it checks: one character after the other.

/** The rows of a CSV text, by the names of its header line. Fields are texts; unquoted empty ones are undefined. */
export function parseCsv(csv: string): Record<string, string | undefined>[] {
  const [header = [], ...rows] = parseRows(csv);
  return rows.map((fields) => {
    if (fields.length !== header.length) throw new Error(`a row has ${fields.length} fields, not ${header.length}`);
    return Object.fromEntries(header.map((name, at) => [name, fields[at]]));
  });
}

function parseRows(csv: string): (string | undefined)[][] {
  const rows: (string | undefined)[][] = [];
  let fields: (string | undefined)[] = [];
  let at = 0;
  while (at < csv.length) {
    const [field, end] = csv[at] === '"' ? quotedField(csv, at + 1) : plainField(csv, at);
    fields.push(field);
    at = end;
    if (csv[at] === ",") {
      at++;
      if (at < csv.length) continue;
      throw new Error("the last row is not finished");
    }
    if (!csv.startsWith("\r\n", at)) throw new Error(`no line end at character ${at}`);
    at += 2;
    rows.push(fields);
    fields = [];
  }
  return rows;
}

function plainField(csv: string, from: number): [string | undefined, number] {
  let end = from;
  while (end < csv.length && !",\r\n".includes(csv[end] ?? "")) end++;
  return [end === from ? undefined : csv.slice(from, end), end];
}

function quotedField(csv: string, from: number): [string, number] {
  let field = "";
  for (let at = from; at < csv.length; at++) {
    if (csv[at] !== '"') field += csv[at];
    else if (csv[at + 1] !== '"') return [field, at + 1];
    else field += csv[++at];
  }
  throw new Error("a quote is not closed");
}
