/**
 * Publishes to what is here: the branch in the repository, a note in the reports directory, and, when one is named, a git remote (port `Publisher`).
 *
 * Owns: the notes. Talks to: git, the disk.
 * I1 A remote branch only moves forward, from what the factory saw there to the verified head; never by force.
 * I2 The same key again changes nothing: the remote already has the head, the note is the same file.
 * I3 What is pushed is the verified commit itself, whatever the local branch says at that moment.
 */
import { Effect, Layer } from "effect";
import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { type GitFailed, type GitPlace, commitOf, distrusted, git, gitAsks } from "../git/git.ts";
import { type Publication, PublishFailed, Publisher, type PublisherShape } from "../ports/publisher.ts";

export interface LocalPublisherOptions {
  /** Directory of the factory for notes. */
  readonly reports: string;
  /** Git remote to push finished branches of this repository to; `null`: they stay local. */
  readonly remote: (repository: string) => string | null;
  /** Milliseconds one exchange with the remote may take. */
  readonly timeoutMs: number;
}

const stop = (message: string): PublishFailed => new PublishFailed({ message, retry: false });
const later = (message: string): PublishFailed => new PublishFailed({ message, retry: true });

/** Takes user and password out of addresses in git's messages. */
const clean = (text: string): string => text.replaceAll(/(\w+:\/\/)[^\s@/]+@/g, "$1").slice(-2_000);

const branchName = /^(?!-)(?!.*(?:\.\.|@\{|\/\/|\.lock(?:\/|$)))[A-Za-z0-9][A-Za-z0-9._/-]*$/;

const pushed = Effect.fnUntraced(function* (place: GitPlace, remote: string, publication: Publication, timeoutMs: number): Effect.fn.Return<void, PublishFailed | GitFailed> {
  const ref = `refs/heads/${publication.branch}`;
  const options = { network: true, timeoutMs };
  // Transport programs that a repository's configuration names are not run: ours are given, and ext:: is off.
  const seen = yield* git(place, ["ls-remote", "--upload-pack=git-upload-pack", "--", remote, ref], options).pipe(Effect.catchTag("GitFailed", (e) => Effect.fail(unreachable(remote, e))));
  const there = seen.split("\n").map((line) => line.split("\t")).find(([, name]) => name === ref)?.[0];
  if (there === publication.head) return;
  if (there !== undefined) {
    const known = (yield* commitOf(place, there)) !== undefined;
    if (!known || !(yield* gitAsks(place, ["merge-base", "--is-ancestor", there, publication.head]))) {
      return yield* stop(`${remote} has other commits on ${publication.branch} (${there.slice(0, 12)}); nothing was pushed. Mend: look at them, then rename or delete that branch on ${remote} and retry the item`);
    }
  }
  yield* git(place, ["push", "--porcelain", "--no-verify", "--no-follow-tags", "--receive-pack=git-receive-pack", `--force-with-lease=${ref}:${there ?? ""}`, "--", remote, `${publication.head}:${ref}`], options).pipe(
    Effect.catchTag("GitFailed", (e) => Effect.gen(function* () {
      // Cut off after the remote had taken it, or refused by it: the remote knows.
      const text = `${e.stdout.toString("utf8")}\n${e.stderr}`;
      if (/\[rejected\]|stale info|non-fast-forward|fetch first/.test(text)) return yield* stop(`${remote} refused ${publication.branch}: somebody else moved it. Mend: look at ${publication.branch} on ${remote}, then retry the item`);
      if (/\[remote rejected\]/.test(text)) return yield* stop(`${remote} refused ${publication.branch}: ${clean(text)}. Mend: allow the push there (branch rules, hooks), then retry the item`);
      return yield* unreachable(remote, e);
    })));
});

const unreachable = (remote: string, error: GitFailed): PublishFailed =>
  /does not appear to be a git repository|No such remote|Authentication failed|could not read Username|Permission denied|Repository not found|Host key verification failed/i.test(error.stderr)
    ? stop(`${remote} cannot be pushed to: ${clean(error.stderr.trim())}. Mend: git -C REPOSITORY remote -v, and check that you can push there`)
    : later(`${remote} did not answer: ${clean(error.stderr.trim())}`);

const note = (publication: Publication, remote: string | null): string => [
  `# ${publication.item}`, "", `- branch: \`${publication.branch}\``, `- commit: \`${publication.head}\``, `- base: \`${publication.base}\``, `- attempt: ${publication.attempt}`, `- pushed to: ${remote ?? "nowhere (no publish.remote)"}`, "", publication.summary, "",
].join("\n");

const writeNote = (file: string, text: string): Effect.Effect<void, PublishFailed> => Effect.tryPromise({
  try: async () => {
    // Not there yet, or unreadable: it is written anew, and that says what is wrong.
    if (await fs.readFile(file, "utf8").catch(() => undefined) === text) return;
    const temporary = `${file}.${randomUUID()}`;
    try {
      const handle = await fs.open(temporary, "wx", 0o600);
      try { await handle.writeFile(text); await handle.sync(); } finally { await handle.close(); }
      await fs.rename(temporary, file);
    } catch (cause) { await fs.rm(temporary, { force: true }); throw cause; }
  },
  catch: (cause) => later(`the note ${file} cannot be written: ${String(cause)}`),
});

/** The port's implementation. */
export const makeLocalPublisher = (options: LocalPublisherOptions): PublisherShape => ({
  publish: (key, publication) => Effect.gen(function* () {
    if (!branchName.test(publication.branch) || publication.branch.endsWith("/")) return yield* stop(`${JSON.stringify(publication.branch)} is no branch name that can be published`);
    const gitDir = yield* git({ cwd: publication.repository }, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    const bare: GitPlace = { cwd: publication.repository, gitDir };
    const place: GitPlace = { ...bare, config: yield* distrusted(bare) };
    const head = yield* commitOf(place, publication.head);
    if (head !== publication.head) return yield* stop(`the commit ${publication.head} is not in ${publication.repository}`);
    const tip = yield* commitOf(place, `refs/heads/${publication.branch}`);
    if (tip === undefined) return yield* stop(`the branch ${publication.branch} is gone. Mend: git branch ${publication.branch} ${publication.head}, then retry the item`);
    if (tip !== publication.head) return yield* stop(`the branch ${publication.branch} is at ${tip.slice(0, 12)}, but ${publication.head.slice(0, 12)} was verified. Mend: git branch -f ${publication.branch} ${publication.head}, or retry the item to have the new commits verified`);
    const remote = options.remote(publication.repository);
    if (remote !== null) {
      if (!/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(remote)) return yield* stop(`${JSON.stringify(remote)} is no name of a git remote. Mend: write the name, not the address, into publish.remote`);
      yield* pushed(place, remote, publication, options.timeoutMs);
    }
    // One file for a key: asked again, it is the same file with the same text.
    const name = `${publication.item}-${publication.attempt}-${createHash("sha256").update(key).digest("hex").slice(0, 8)}.md`;
    yield* Effect.tryPromise({ try: () => fs.mkdir(options.reports, { recursive: true, mode: 0o700 }), catch: (cause) => later(`the reports directory cannot be made: ${String(cause)}`) });
    yield* writeNote(join(options.reports, name), note(publication, remote));
    return { where: remote === null ? `branch ${publication.branch}` : `${remote}/${publication.branch}` };
  }).pipe(Effect.catchTag("GitFailed", (e) => Effect.fail(e.fault.kind === "other" || e.fault.kind === "notARepository" ? stop(clean(e.message)) : later(clean(e.message))))),
});

export const localPublisherLayer = (options: LocalPublisherOptions): Layer.Layer<Publisher> => Layer.succeed(Publisher, makeLocalPublisher(options));
