// ZooKeeper as an ensemble of three, for what one server cannot show: a leader that dies while the others go on, and
// too few that are left. Only tests start it.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { requireJava } from "../java.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ProcessPlan, ServerKind } from "../server-kind.ts";
import { fourLetterWord } from "./four-letter-word.ts";
import { zookeeperJava, zookeeperSettings } from "./server.ts";

const members = [1, 2, 3] as const;

/** What a client needs to connect, and who is who. */
export interface EnsembleAddresses {
  /** Of all three, separated by commas. */
  readonly servers: string;
  /** Each member's name among the processes, and its client port. */
  readonly members: readonly { readonly name: string; readonly port: number }[];
}

export const zookeeperEnsemble: ServerKind<EnsembleAddresses> = {
  name: "zookeeper-ensemble",
  ports: members.flatMap((id) => [nameOf(id), `quorum-${id}`, `election-${id}`]),
  environment: ({ servers }) => ({ ZOOKEEPER_SERVERS: servers }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<EnsembleAddresses>> {
    await requireJava(signal);
    const { folder, ports } = place;
    const java = await zookeeperJava(place, say, signal);
    const processes: ProcessPlan[] = [];
    for (const id of members) {
      const data = join(folder, "data", nameOf(id));
      await mkdir(data, { recursive: true });
      await writeFile(join(data, "myid"), `${id}\n`);
      const configuration = join(folder, `${nameOf(id)}.cfg`);
      await writeFile(configuration, settings(place, id, data), { mode: 0o600 });
      const args = [...java, configuration];
      const isReady = (asked: AbortSignal) => isServing(ports, id, asked);
      processes.push({ name: nameOf(id), file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady });
    }
    const found = members.map((id) => ({ name: nameOf(id), port: ports[nameOf(id)] ?? 0 }));
    return {
      processes,
      addresses: { servers: found.map(({ port }) => `127.0.0.1:${port}`).join(","), members: found },
    };
  },
};

/** The name of the member that leads; undefined while none does. */
export async function leaderOf({ members: all }: EnsembleAddresses, signal: AbortSignal): Promise<string | undefined> {
  for (const { name, port } of all) {
    const answer = await fourLetterWord(port, "srvr", signal).catch(() => "");
    if (/^Mode: leader$/m.test(answer)) return name;
  }
  return undefined;
}

function nameOf(id: number): string {
  return `zookeeper-${id}`;
}

/** The first cannot serve before there is a second; the last is ready when all of them serve. */
async function isServing(ports: Place["ports"], id: number, signal: AbortSignal): Promise<boolean> {
  if (id !== members.at(-1)) return (await fourLetterWord(ports[nameOf(id)] ?? 0, "ruok", signal)) === "imok";
  const answers = await Promise.all(members.map((each) => fourLetterWord(ports[nameOf(each)] ?? 0, "srvr", signal)));
  return answers.every((answer) => /^Mode: /m.test(answer));
}

function settings({ ports }: Place, id: number, data: string): string {
  const servers = members.map((each) => {
    return `server.${each}=127.0.0.1:${ports[`quorum-${each}`]}:${ports[`election-${each}`]}`;
  });
  // In ticks of a second: how long a member may take to join, and to fall behind.
  const lines = [`clientPort=${ports[nameOf(id)]}`, "initLimit=10", "syncLimit=3", ...servers];
  return `${zookeeperSettings(data)}${lines.join("\n")}\n`;
}
