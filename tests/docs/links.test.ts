/** What the documentation names is there: pages, headings, commands, options, scripts. And nothing tracked names this machine. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { bin } from "../cli/room.ts";
import { anchorsOf, codeOf, commandsOf, linksOf, pages, root, trackedText } from "./pages.ts";

const all = pages();
/** The conformance table quotes every promise, kept yet or not. */
const ours = all.filter(({ file }) => file !== "docs/conformance.md");

describe("links", () => {
  test("every relative link leads to a file, and its anchor to a heading", () => {
    const broken = all.flatMap(({ file, text }) => linksOf(text).filter((link) => !/^[a-z][a-z+.-]*:/i.test(link)).flatMap((link) => {
      const [path = "", anchor] = decodeURIComponent(link).split("#");
      const target = path === "" ? join(root, file) : join(root, dirname(file), path);
      if (relative(root, target).startsWith("..") || !existsSync(target)) return [`${file}: ${link}`];
      return anchor === undefined || anchorsOf(readFileSync(target, "utf8")).has(anchor) ? [] : [`${file}: ${link} (no such heading)`];
    }));
    expect(broken).toEqual([]);
  });

  test("every page is named by the index, the decisions by theirs", () => {
    const named = (index: string) => new Set(linksOf(readFileSync(join(root, index), "utf8")).map((link) => join(dirname(index), link)));
    const [top, decisions] = [named("docs/README.md"), named("docs/decisions/README.md")];
    const written = all.map(({ file }) => file).filter((file) => /^docs\/(adapters\/)?[^/]+\.md$/.test(file) && !["docs/README.md", "docs/conformance.md"].includes(file));
    expect(written.filter((file) => !top.has(file))).toEqual([]);
    expect(all.map(({ file }) => file).filter((file) => file.startsWith("docs/decisions/0") && !decisions.has(file))).toEqual([]);
  });

  test("every source file that a page names in code is there", () => {
    const missing = ours.filter(({ file }) => !file.startsWith("docs/charts/")).flatMap(({ file, text }) => codeOf(text)
      .filter((code) => /^(src|actors|machines|tests|fixtures|docs|\.toolchain)\/[\w./-]+$/.test(code) && !/NAME|NNNN/.test(code))
      .filter((code) => !existsSync(join(root, code)) && !code.startsWith("docs/charts") && code !== "docs/conformance.md").map((code) => `${file}: ${code}`));
    expect(missing).toEqual([]);
  });
});

describe("commands", () => {
  const helps = new Map<string, Promise<string>>();
  const help = (...command: readonly string[]): Promise<string> => {
    const key = command.join(" ");
    const known = helps.get(key) ?? execa(process.execPath, [bin, ...command, "--help"], { stdin: "ignore", env: { COLUMNS: "200" } }).then(({ stdout }) => stdout);
    helps.set(key, known);
    return known;
  };
  const commandsIn = (text: string): readonly string[] => [...(text.split("\nCommands:\n")[1] ?? "").split("\n\n")[0]?.matchAll(/^ {2}([a-z]+)/gm) ?? []].map((match) => match[1] ?? "");
  const hasOption = (text: string, option: string): boolean => new RegExp(`(^|[\\s,])${option}(?=[\\s,]|$)`, "m").test(text);

  /** What is wrong with one command as a page writes it; placeholders in capitals stand for values. */
  const wrong = async (words: readonly string[]): Promise<string | undefined> => {
    const rest = [...words];
    while (rest[0] === "-C" || rest[0] === "--config") rest.splice(0, 2);
    const [name] = rest;
    if (name === undefined || name.startsWith("…")) return undefined;
    if (name.startsWith("-")) return hasOption(await help(), name) ? undefined : `no option ${name}`;
    const top = await help();
    if (!commandsIn(top).includes(name)) return `no command ${name}`;
    const inner = commandsIn(await help(name));
    const [, second] = rest;
    // `receipt ID` beside `receipt verify FILE`: a command that has both takes what is none of its own for its argument.
    const takesArgument = /^Usage: .*\[command\] [[<]/m.test(await help(name));
    if (inner.length > 0 && !takesArgument && second !== undefined && !second.startsWith("-") && !inner.includes(second) && second !== "…") return `no command ${name} ${second}`;
    const text = inner.length > 0 && second !== undefined && inner.includes(second) ? await help(name, second) : await help(name);
    const option = rest.find((word) => /^--?[a-zA-Z]/.test(word) && !hasOption(text, word.split("=")[0] ?? word));
    return option === undefined ? undefined : `${name} has no option ${option}`;
  };

  test("every enact-factory command and option in the pages is in its help", async () => {
    const uses = ours.flatMap(({ file, text }) => codeOf(text).flatMap((code) => commandsOf(code).map((words) => ({ file, words }))));
    // A page of commands that none is found in means that this test reads nothing.
    expect(uses.length).toBeGreaterThan(15);
    const found = await Promise.all(uses.map(async ({ file, words }) => ({ file, words, problem: await wrong(words) })));
    expect(found.filter(({ problem }) => problem !== undefined).map(({ file, words, problem }) => `${file}: enact-factory ${words.join(" ")}: ${problem}`)).toEqual([]);
  });

  test("the check itself finds an unknown command, subcommand and option", async () => {
    expect(commandsOf('$ enact-factory run "a b" -p .  # now')).toEqual([["run", '"a b"', "-p", "."]]);
    expect(await wrong(["begin"])).toBe("no command begin");
    expect(await wrong(["task", "explode"])).toBe("no command task explode");
    expect(await wrong(["-C", "app", "task", "restore", "RUN-1", "--force"])).toBe("task has no option --force");
    expect(await wrong(["run", '"x"', "-p", ".", "--timeout", "5"])).toBeUndefined();
  });

  test("every npm script in the pages is in package.json, and the README has the two commands", () => {
    const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const unknown = ours.flatMap(({ file, text }) => codeOf(text).flatMap((code) => [...code.matchAll(/(?:^|&&\s*|\$\s)npm run (?:-\S+ )*([\w:-]+)/g)].map((match) => match[1] ?? "")).filter((name) => !Object.hasOwn(scripts, name) && !file.startsWith("docs/verification")).map((name) => `${file}: npm run ${name}`));
    expect(unknown).toEqual([]);
    const readme = readFileSync(join(root, "README.md"), "utf8");
    for (const said of ["npm ci && npm run demo", "npm ci && npm test"]) expect(readme).toContain(said);
  });
});

describe("nothing of this machine", () => {
  test("no tracked file holds the path of this clone, the home directory, or the host of a package registry", async () => {
    const registry = new URL((await execa("npm", ["config", "get", "registry"], { cwd: root, stdin: "ignore" })).stdout.trim()).host;
    // A clone in /app or a home called /x would be found in ordinary words.
    const places = [root, homedir()].filter((path) => path.split("/").length > 2 || path === "/root").map((path) => `${path}/`);
    const found = trackedText().flatMap(({ file, text }) => [...places, registry].filter((each) => text.includes(each)).map((each) => `${file}: ${each}`));
    expect(found).toEqual([]);
    const lock: { readonly packages: Readonly<Record<string, { readonly resolved?: string }>> } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    expect(Object.entries(lock.packages).filter(([, { resolved }]) => resolved !== undefined && /^[a-z+]+:/.test(resolved) && !resolved.startsWith("file:")).map(([name]) => name)).toEqual([]);
  });
});
