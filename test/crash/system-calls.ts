// Reads what `strace -f -o FILE` wrote: the calls with the lines on which each began and ended, so that a test can say
// that one was over before another began, whatever threads they ran on.

/** One system call; `began` and `ended` are line numbers of the trace. */
export interface SystemCall {
  readonly name: string;
  /** As strace prints them. */
  readonly args: string;
  readonly began: number;
  readonly ended: number;
}

/** The calls in a trace that ended, in the order in which they began. */
export function callsIn(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, { name: string; args: string; began: number }>();
  for (const [line, text] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(text) ?? [];
    const unfinished = /^(\w+)\((.*) <unfinished \.\.\.>$/.exec(rest);
    const whole = /^(\w+)\((.*)$/.exec(rest);
    const begun = open.get(thread);
    if (unfinished !== null) {
      open.set(thread, { name: unfinished[1] ?? "", args: unfinished[2] ?? "", began: line });
    } else if (rest.startsWith("<... ") && begun !== undefined) {
      calls.push({ ...begun, ended: line });
      open.delete(thread);
    } else if (whole !== null) {
      calls.push({ name: whole[1] ?? "", args: whole[2] ?? "", began: line, ended: line });
    }
  }
  return calls.sort((a, b) => a.began - b.began);
}
