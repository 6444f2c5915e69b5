import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { localDirectory } from "../../src/sources/local-directory.ts";
import { sourceContract } from "./contract.ts";

sourceContract("local directory", "files", async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-source-"))), directory = join(root, "items");
  mkdirSync(directory);
  let n = 0;
  const put = (title: string, created?: string): string => {
    const name = `${++n}.md`;
    writeFileSync(join(directory, name), `+++\ntitle = ${JSON.stringify(title)}\n${created === undefined ? "" : `created = ${created}\n`}+++\nBody.\n`);
    return name;
  };
  return {
    source: localDirectory({ directory, projects: [{ name: "app", repository: "/repos/app", lane: "none" }], project: undefined }, () => Effect.void),
    add: async (title, { created } = {}) => put(title, created),
    addMany: async (count) => { for (let each = 0; each < count; each++) put(`Item ${each}`); },
    remove: async (id) => rmSync(join(directory, id)),
    spoil: async (id) => writeFileSync(join(directory, id), "+++\ntitle = \n+++\n"),
    vanish: async () => {
      renameSync(directory, `${directory}-away`);
      return async () => renameSync(`${directory}-away`, directory);
    },
    close: async () => rmSync(root, { recursive: true, force: true }),
  };
});
