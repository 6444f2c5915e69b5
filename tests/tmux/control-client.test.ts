import { expect, test, vi } from "vitest";
import { controlClient } from "../../tmux/control-client.ts";
import { quoted } from "../../tmux/quoting.ts";

/** A client whose server is a script: it says `script`'s lines for each line it reads. */
const client = (script: string) => {
  const notices: string[] = [];
  const greeting = "printf '%%begin 1 1 0\\n%%end 1 1 0\\n%%session-changed $0 _keep\\n'";
  return { notices, ...controlClient({ file: "/bin/sh", args: ["-c", `${greeting}; ${script}`], env: { PATH: "/usr/bin:/bin" }, onNotice: (line) => void notices.push(line) }) };
};
const answer = (number: number, body: string, how = "end"): string => `printf '%%begin 5 ${number} 1\\n${body}%%${how} 5 ${number} 1\\n'`;

test("what a command prints may look like the protocol (I2)", async () => {
  const it = client(`read line; ${answer(7, "%%end 5 6 1\\n%%begin 5 8 1\\n%%exit\\n%%error 5 70 1\\n한\\n\\n")}; cat >/dev/null`);
  await it.attached;
  expect(await it.run("one")).toEqual([["%end 5 6 1", "%begin 5 8 1", "%exit", "%error 5 70 1", "한", ""]]);
  expect(it.notices).toEqual(["%session-changed $0 _keep"]);
  it.leave();
  expect(await it.ended).toBe("");
});

test("a failed command is the last block of its line, and the next line has its own (I1)", async () => {
  const it = client(`read line; ${answer(1, "first\\n")}; ${answer(2, "can't find window: x\\n".replace("'", String.raw`'\''`), "error")}; read line; ${answer(3, "third\\n")}; read line; ${answer(4, "parse error\\n", "error")}; read line; ${answer(5, "fifth\\n")}; cat >/dev/null`);
  const asked = Promise.allSettled([it.run("one", "two", "never"), it.run("three"), it.run("four", "never"), it.run("five")]);
  const [one, three, four, five] = await asked;
  expect(one).toMatchObject({ status: "rejected", reason: { reason: "gone", message: "tmux: can't find window: x", before: [["first"]] } });
  expect(three).toEqual({ status: "fulfilled", value: [["third"]] });
  expect(four).toMatchObject({ status: "rejected", reason: { reason: "failed", before: [] } });
  expect(five).toEqual({ status: "fulfilled", value: [["fifth"]] });
  it.leave();
});

test("lines and characters that come in pieces, blocks of others, and notifications between", async () => {
  const it = client(`read line; printf '%%begin 5 1'; sleep 0.1; printf ' 1\\n\\355\\225'; sleep 0.1; printf '\\234\\n%%end 5 1 1\\n%%begin 5 2 0\\nanother\\n%%end 5 2 0\\n%%window-close @3\\n'; cat >/dev/null`);
  expect(await it.run("one")).toEqual([["한"]]);
  await vi.waitFor(() => expect(it.notices).toContain("%window-close @3"));
  it.leave();
});

test("every command that waits hears of the end, and a program that cannot be run is an end too (I3)", async () => {
  const it = client("read line; printf '%%exit server exited unexpectedly\\n'; exit 1");
  const waits = it.run("one");
  await expect(waits).rejects.toMatchObject({ name: "TerminalError", reason: "failed", message: /server exited unexpectedly/ });
  expect(await it.ended).toBe("server exited unexpectedly");
  await expect(it.run("late")).rejects.toMatchObject({ reason: "failed" });
  const none = controlClient({ file: "/no/such/tmux", args: [], env: {}, onNotice: () => undefined });
  await expect(none.attached).rejects.toThrow(/ENOENT/);
});

test("an argument is one argument", () => {
  expect(quoted("it's #{pid} $HOME;")).toBe(String.raw`'it'\''s #{pid} $HOME;'`);
  expect(quoted("a\nkill-server \"$~\\\t\x1b")).toBe(String.raw`"a\012kill-server \"\$\~\\\011\033"`);
  expect(() => quoted("a\0b")).toThrow(/NUL/);
});
