/**
 * What the local directory is told of its items: a file for each in the factory's own `reports` directory, since nothing is ever written between a
 * person's files (docs/sources.md). Owns those files.
 *
 * I1 A file holds the last word on every gate and on the status, whatever order it was said in within one push. I2 It is replaced as a whole.
 */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Effect } from "effect";
import { parse, stringify } from "smol-toml";
import { z } from "zod";
import { SourceUpdate } from "../domain/effects.ts";
import { type SourcePush, SourceUnavailable } from "../ports/source.ts";

const Known = z.object({ status: SourceUpdate.shape.status, gates: SourceUpdate.shape.gates });

export const localStatus = (directory: string) => ({ item, sourceId, set }: SourcePush): Effect.Effect<void, SourceUnavailable> => Effect.tryPromise({
  try: async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, `${item}.status.toml`), temporary = `${file}.new`;
    const known = await readFile(file, "utf8").then((text) => Known.parse(parse(text)), () => ({ status: undefined, gates: undefined }));
    const status = set.status ?? known.status;
    const text = stringify({ id: item, sourceId, ...(status === undefined ? {} : { status }), gates: { ...known.gates, ...set.gates } });
    try {
      const handle = await open(temporary, "w", 0o600);
      try { await handle.writeFile(text); await handle.sync(); } finally { await handle.close(); }
      await rename(temporary, file);
    } catch (cause) { await rm(temporary, { force: true }); throw cause; }
  },
  catch: (cause) => new SourceUnavailable({ source: "local", message: `the status of ${item} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}` }),
});
