/** Every channel in a real conversation on loopback. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { messageOf, type Note, type NoticeMessage } from "../../src/domain/notice.ts";
import { desktop } from "../../src/notify/desktop.ts";
import { discord } from "../../src/notify/discord.ts";
import { retryAfter } from "../../src/notify/post.ts";
import { smtp } from "../../src/notify/smtp.ts";
import { webhook } from "../../src/notify/webhook.ts";
import type { NoticeChannel } from "../../src/ports/notifier.ts";
import { DiscordMessage, discordReceiver, httpReceiver, mailServer, verified } from "../support/fakes/receivers.ts";

const at = Date.parse("2026-11-30T12:00:00Z");
const noteOf = (n: number, more: Partial<Note> = {}): Note => ({ key: `LOC-${n}|question|1|x`, kind: "question", severity: "attention", ref: `LOC-${n}`, item: null, title: `Round ${n}`, text: "Up or to even?", commands: [`enact-factory task answer LOC-${n} "…"`], since: at, ended: false, ...more });
const one = messageOf("f-c-1", [noteOf(3)], at, false);
/** As bad as a stranger can make it. */
const hostile = messageOf("f-c-2", Array.from({ length: 200 }, (_, n) => noteOf(n, { title: `\u001b]0;owned\u0007@everyone [click](http://evil.example) \r\nBcc: all@example.org ${"`*_~".repeat(80)}`, text: `<@123> ${"\\_".repeat(2_000)}${"😀".repeat(900)}`, commands: [`enact-factory task answer LOC-${n} "…" ${"`".repeat(300)}`, "a".repeat(500), "b"] })), at, true);

const send = (channel: NoticeChannel, message: NoticeMessage): Promise<{ readonly ok: true } | { readonly ok: false; readonly message: string; readonly retryAfterMs: number | null }> =>
  Effect.runPromise(channel.send(message).pipe(Effect.as({ ok: true as const }), Effect.catchTag("NotifyFailed", ({ message: why, retryAfterMs }) => Effect.succeed({ ok: false as const, message: why, retryAfterMs }))));

describe("webhook", () => {
  test("a receiver can verify it, a changed body or another key fails, and the id is the same at every try", async () => {
    await using receiver = await httpReceiver();
    const channel = webhook({ name: "hook", url: receiver.url, secret: "key", now: () => at });
    expect(await send(channel, one)).toEqual({ ok: true });
    expect(await send(channel, one)).toEqual({ ok: true });
    const [first, second] = receiver.received;
    if (!first || !second) throw new Error("nothing was received");
    expect([verified("key", first, at), verified("other", first, at), verified("key", { ...first, body: `${first.body} ` }, at), verified("key", first, at + 600_000)]).toEqual([true, false, false, false]);
    expect([first.headers["x-enact-delivery"], second.headers["x-enact-delivery"]]).toEqual(["f-c-1", "f-c-1"]);
    expect(JSON.parse(first.body)).toMatchObject({ version: 1, id: "f-c-1", severity: "attention", subject: "LOC-3 asks a question: Round 3", total: 1, counts: { question: 1 }, notes: [{ ref: "LOC-3", commands: ['enact-factory task answer LOC-3 "…"'] }] });
  });

  test("a redirect is not followed, a server that asks to wait is heard, nobody there is said, and no error names the address", async () => {
    await using receiver = await httpReceiver();
    await using elsewhere = await httpReceiver();
    const channel = webhook({ name: "hook", url: `${receiver.url}?token=very-secret`, secret: "key", now: () => at });
    receiver.next.push({ status: 307, headers: { location: elsewhere.url } }, { status: 503, headers: { "retry-after": "120" } }, { status: 500 });
    expect(await send(channel, one)).toEqual({ ok: false, message: "it answered with a redirect (307), which is not followed", retryAfterMs: null });
    expect(elsewhere.received).toEqual([]);
    expect(await send(channel, one)).toEqual({ ok: false, message: "it answered 503", retryAfterMs: 120_000 });
    expect(await send(channel, one)).toEqual({ ok: false, message: "it answered 500", retryAfterMs: null });
    const gone = await httpReceiver();
    await gone[Symbol.asyncDispose]();
    expect(await send(webhook({ name: "hook", url: gone.url, secret: "key", now: () => at }), one)).toEqual({ ok: false, message: "the connection was refused", retryAfterMs: null });
  });

  test("Retry-After in seconds, as a date, nonsense, and longer than anybody should wait", () => {
    expect([retryAfter("2", at), retryAfter(new Date(at + 60_000).toUTCString(), at), retryAfter("soon", at), retryAfter("-1", at), retryAfter(null, at), retryAfter("999999999", at)]).toEqual([2_000, 60_000, null, null, null, 21_600_000]);
  });
});

describe("Discord", () => {
  test("what a stranger wrote is taken, mentions nobody, is no markdown, and keeps to the limits", async () => {
    await using receiver = await discordReceiver();
    const channel = discord({ name: "discord", url: receiver.url, now: () => at });
    expect(await send(channel, one)).toEqual({ ok: true });
    expect(await send(channel, hostile)).toEqual({ ok: true });
    const message = DiscordMessage.parse(JSON.parse(receiver.received[1]?.body ?? ""));
    expect(message.content).toContain("200 questions");
    expect(message.embeds).toHaveLength(5);
    for (const { title, description } of message.embeds) {
      expect(`${title}${description}`).not.toMatch(/[^\\]\[click|[^\\]<@|\p{Cc}(?<!\n)/u);
      expect(description.split("```")).toHaveLength(3);
    }
  });

  test("429 waits as long as it says, a webhook that was deleted is said", async () => {
    await using receiver = await discordReceiver();
    const channel = discord({ name: "discord", url: receiver.url, now: () => at });
    receiver.next.push({ status: 429, headers: { "retry-after": "1" }, body: JSON.stringify({ message: "You are being rate limited.", retry_after: 64.57, global: false }) }, { status: 404, body: '{"code":10015}' });
    expect(await send(channel, one)).toEqual({ ok: false, message: "Discord asks to wait", retryAfterMs: 64_570 });
    expect(await send(channel, one)).toEqual({ ok: false, message: "Discord does not know this webhook (any more)", retryAfterMs: null });
  });
});

describe("e-mail", () => {
  const base = { name: "mail", host: "127.0.0.1", from: "factory@example.org", to: ["me@example.org", "you@example.org"] };

  test("a whole conversation with a login; headers cannot be added by a title, and the Message-ID is the message's", async () => {
    await using server = await mailServer({ login: { user: "u", pass: "p w" } });
    const channel = smtp({ ...base, port: server.port, tls: "off", auth: { user: "u", pass: "p w" } });
    expect(await send(channel, hostile)).toEqual({ ok: true });
    const [mail] = server.mails;
    expect(mail).toMatchObject({ from: "factory@example.org", to: ["me@example.org", "you@example.org"], user: "u" });
    const head = mail?.data.split("\n\n")[0] ?? "";
    expect(head).toContain("Message-ID: <f-c-2@enact-factory.invalid>");
    expect(head).toContain("Auto-Submitted: auto-generated");
    expect(head).not.toMatch(/^Bcc:/m);
    expect(await send(smtp({ ...base, port: server.port, tls: "off", auth: { user: "u", pass: "wrong" } }), one)).toMatchObject({ ok: false, message: expect.stringContaining("535") });
  });

  test("where TLS is required nothing is sent in the clear, and a refused message is a failure", async () => {
    await using server = await mailServer();
    expect(await send(smtp({ ...base, port: server.port, tls: "required", auth: null }), one)).toMatchObject({ ok: false });
    expect(server.mails).toEqual([]);
    await using full = await mailServer({ refuse: () => "452 4.2.2 full" });
    expect(await send(smtp({ ...base, port: full.port, tls: "off", auth: null }), one)).toMatchObject({ ok: false, message: expect.stringContaining("452") });
  });
});

test("the desktop gets texts as arguments without markup; without its program the bell rings, and without both it is said", async () => {
  const directory = mkdtempSync(join(tmpdir(), "enact-notify-")), said = join(directory, "said.json");
  try {
    writeFileSync(join(directory, "notify-send"), `#!${process.execPath}\nrequire("node:fs").writeFileSync(${JSON.stringify(said)}, JSON.stringify(process.argv.slice(2)));\n`);
    chmodSync(join(directory, "notify-send"), 0o755);
    const env = { PATH: directory };
    expect(await send(desktop({ name: "desktop", platform: "linux", env }), messageOf("i", [noteOf(1, { text: "<b>bold</b> $(id)" })], at, false))).toEqual({ ok: true });
    const argv = z.array(z.string()).parse(JSON.parse(readFileSync(said, "utf8")));
    expect([argv.slice(0, 4), argv[4]]).toEqual([["--app-name=Enact Factory", "--urgency=normal", "--", "LOC-1 asks a question: Round 1"], expect.stringContaining("&lt;b&gt;bold&lt;/b&gt; $(id)")]);
    let rung = 0;
    const bare = { name: "desktop", platform: "linux", env: { PATH: "/nowhere" } };
    expect(await send(desktop({ ...bare, bell: () => { rung++; } }), one)).toEqual({ ok: true });
    expect(rung).toBe(1);
    expect(await send(desktop(bare), one)).toMatchObject({ ok: false, message: expect.stringContaining("no terminal") });
    expect(await desktop(bare).probe()).toMatchObject({ ok: false, mend: expect.any(String) });
    expect(existsSync(said)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
