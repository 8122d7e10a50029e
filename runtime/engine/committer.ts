// Commits the positions of batches that ran without recorded plans: one at a time, in order, each with all that came
// before it. Whoever asks while a commit is under way waits for the next one, which stands for all that asked. A commit
// that fails is the last of its term: nobody knows then what the log holds, and the next term reads it.
import type { BatchCommits, CommitListener } from "../contract/sink.ts";
import { ConfigError, messageOf, TransientError } from "../errors.ts";
import { type Commit, mergeCommits } from "../journal/merge-commits.ts";

/** Batches that are remembered one by one; older ones can be committed only together. */
const REMEMBERED_BATCHES = 10_000;

export interface CommitterInput {
  /** Appends a commit durably. */
  readonly append: (commit: Commit) => Promise<void>;
  readonly onCommitted: (commit: Commit) => void;
  /** A listener of the user's own has thrown. */
  readonly onWarning: (message: string) => void;
}

interface Request {
  /** Up to this batch, inclusive. */
  readonly batchId: number;
  readonly settle: CommitListener;
}

/** One term's commits. Disposing it takes no more requests and waits for those there are. */
export class Committer implements AsyncDisposable {
  readonly #input: CommitterInput;
  /** Done and not committed, oldest first. */
  #done: Commit[] = [];
  #requests: Request[] = [];
  #working: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #hasEnded = false;

  constructor(input: CommitterInput) {
    this.#input = input;
  }

  /** The newest batch that is done and not committed. */
  get newestBatchId(): number | undefined {
    return this.#done.at(-1)?.batchId;
  }

  get isCommitting(): boolean {
    return this.#working !== undefined;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** A batch may be committed from now on. */
  add(commit: Commit): void {
    this.#done.push(commit);
    const [first, second] = this.#done;
    if (this.#done.length <= REMEMBERED_BATCHES || first === undefined || second === undefined) return;
    this.#done.splice(0, 2, mergeCommits(first, second));
  }

  /** @throws why a commit has failed */
  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Commits up to a batch, inclusive. @throws why that is not durable, or not known to be */
  commit(batchId: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ask({ batchId, settle: (failure) => (failure === undefined ? resolve() : reject(failure)) });
    });
  }

  /** Waits until no commit is under way, whatever became of it; the log is nobody else's until the next request. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** For the function sink of a job with `commit: "manual"`. */
  commitsOf(batchId: number): BatchCommits {
    return {
      commitSync: () => this.commit(batchId),
      commitAsync: (listener) => this.#ask({ batchId, settle: (failure) => this.#tell(listener, failure) }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasEnded = true;
    await this.settled();
  }

  #ask(request: Request): void {
    if (this.#failure !== undefined) request.settle(this.#failure.error);
    else if (this.#hasEnded) request.settle(new TransientError(`batch ${request.batchId} is committed too late`));
    else {
      this.#requests.push(request);
      this.#working ??= this.#work();
    }
  }

  async #work(): Promise<void> {
    while (this.#requests.length > 0) {
      // What is asked for in the same turn is one commit.
      await Promise.resolve();
      const requests = this.#requests;
      this.#requests = [];
      const failure = await this.#commitUpTo(Math.max(...requests.map(({ batchId }) => batchId)));
      for (const { settle } of requests) settle(failure?.error);
    }
    // At once, so that whoever asks next finds nobody working.
    this.#working = undefined;
  }

  async #commitUpTo(batchId: number): Promise<{ readonly error: unknown } | undefined> {
    if (this.#failure !== undefined) return this.#failure;
    const [first, ...others] = this.#done.filter((done) => done.batchId <= batchId);
    if (first === undefined) return this.#tooLate(batchId);
    const commit = others.reduce(mergeCommits, first);
    try {
      await this.#input.append(commit);
      this.#done = this.#done.filter((done) => done.batchId > batchId);
      this.#input.onCommitted(commit);
      return undefined;
    } catch (error) {
      this.#failure = { error };
      return this.#failure;
    }
  }

  /** Committed before, with a later one; or kept no more one by one. */
  #tooLate(batchId: number): { readonly error: unknown } | undefined {
    const oldest = this.#done[0];
    if (oldest === undefined || batchId < oldest.firstBatchId) return undefined;
    const hint = "commit a later batch, which stands for this one as well";
    return { error: new ConfigError(`more than ${REMEMBERED_BATCHES} batches came after batch ${batchId}`, { hint }) };
  }

  #tell(listener: CommitListener | undefined, failure: unknown): void {
    try {
      listener?.(failure);
    } catch (error) {
      this.#input.onWarning(`the listener of commitAsync failed: ${messageOf(error)}`);
    }
  }
}

/** Commits that all come down to one write, made when it is first asked for. */
export function commitsBy(write: () => Promise<unknown>): BatchCommits {
  return {
    commitSync: async () => void (await write()),
    commitAsync: (listener = () => {}) => {
      write()
        .then(() => listener(undefined), listener)
        .catch(() => {});
    },
  };
}

/** For function sinks of jobs that commit by themselves. */
export const refusedCommits: BatchCommits = {
  commitSync: () => Promise.reject(notManual("commitSync")),
  commitAsync: () => {
    throw notManual("commitAsync");
  },
};

function notManual(method: string): ConfigError {
  return new ConfigError(`batch.${method} is for jobs that commit themselves`, {
    hint: `set commit: "manual" on the job, or leave batch.${method} out: the runtime commits`,
  });
}
