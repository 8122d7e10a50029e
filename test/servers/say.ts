// How anything here tells people what it is at: only what takes long is worth a line, and results never are.

/** Prints one line on stderr; stdout is for results. */
export type Say = (line: string) => void;
