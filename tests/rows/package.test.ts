import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { guardMs } from "./fixture.ts";

/** The repository's files as they are, copied, with its installed dependencies lent. */
const root = join(import.meta.dirname, "..", "..");
const Manifest = z.looseObject({ name: z.string(), version: z.string(), type: z.string(), bin: z.record(z.string(), z.string()), engines: z.object({ node: z.string() }), dependencies: z.record(z.string(), z.string()), scripts: z.record(z.string(), z.string()) });
const manifest = Manifest.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
const env = { PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, LC_ALL: "C.UTF-8" };

let directory: string;
let clone: string;
let installed: string;
let tarball: string;
let registry: Server;

/** Serves on loopback what is installed here, so that npm really installs and no network is needed. */
const serve = async (): Promise<{ readonly server: Server; readonly url: string }> => {
  const lock = z.looseObject({ packages: z.record(z.string(), z.unknown()) }).parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const Installed = z.looseObject({ version: z.string() });
  /** Every installed version of a package: one may need another than the rest of the tree. */
  const versionsOf = (name: string) => Object.keys(lock.packages).filter((path) => path.endsWith(`node_modules/${name}`) && existsSync(join(root, path, "package.json")))
    .map((path) => ({ folder: join(root, path), found: Installed.parse(JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"))) }));
  const server = createServer((request, response) => {
    const [, name = "", wanted] = /^\/((?:@[^/]+\/)?[^/]+?)(?:\/-\/(.*))?$/.exec(decodeURIComponent(request.url ?? "")) ?? [];
    const answer = async (): Promise<Buffer> => {
      const versions = versionsOf(name);
      if (wanted !== undefined) {
        const cwd = versions.find(({ found }) => wanted === `${found.version}.tgz`)?.folder ?? join(root, "node_modules", name);
        return Buffer.from((await execa("tar", ["--use-compress-program=gzip -1", "-cf", "-", "--transform", "s,^\\./,package/,", "--exclude=./node_modules", "."], { cwd, encoding: "buffer", maxBuffer: 200_000_000 })).stdout);
      }
      const [top] = versions;
      if (!top) throw new Error(`${name} is not installed`);
      return Buffer.from(JSON.stringify({ name, "dist-tags": { latest: top.found.version }, versions: Object.fromEntries(versions.map(({ found: { scripts: _, devDependencies: __, ...found } }) => [found.version, { ...found, dist: { tarball: `http://${request.headers.host}/${name}/-/${found.version}.tgz` } }])) }));
    };
    answer().then((body) => response.end(body), () => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, url: `http://127.0.0.1:${address.port}/` };
};

beforeAll(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-package-")));
  clone = join(directory, "clone");
  installed = join(directory, "installed");
  const { stdout } = await execa("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  for (const file of stdout.split("\0")) if (file !== "" && existsSync(join(root, file))) cpSync(join(root, file), join(clone, file));
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  await execa("npm", ["run", "build"], { cwd: clone, env, stdin: "ignore" });
  const packed = await execa("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", directory, "--cache", join(directory, "cache")], { cwd: clone, env, stdin: "ignore" });
  tarball = join(directory, z.string().parse(/"filename":\s*"([^"]+)"/.exec(packed.stdout)?.[1]).replace("@", "").replace("/", "-"));
  const served = await serve();
  registry = served.server;
  mkdirSync(installed);
  writeFileSync(join(installed, "package.json"), '{ "private": true, "type": "module" }\n');
  await execa("npm", ["install", tarball, "--registry", served.url, "--cache", join(directory, "cache"), "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: installed, env, stdin: "ignore" });
}, guardMs);
afterAll(() => {
  registry?.close();
  rmSync(directory, { recursive: true, force: true });
});

const packageFolder = (): string => join(installed, "node_modules", manifest.name);
const textFiles = (folder: string): readonly string[] => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

describe("the package", { timeout: guardMs }, () => {
  test("PKG-01 packed, and installed by npm in an empty folder, its bin prints the version of package.json", async () => {
    expect(manifest.name).toBe("@amsterdamdatalabs/enact-factory");
    expect(Object.keys(manifest.bin)).toEqual(["enact-factory"]);
    const { stdout } = await execa(join(installed, "node_modules", ".bin", "enact-factory"), ["--version"], { env, cwd: installed, stdin: "ignore" });
    expect(stdout).toBe(manifest.version);
    expect(Manifest.parse(JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")))).toMatchObject({ name: manifest.name, version: manifest.version, bin: manifest.bin });
  });

  test("PKG-02 a strict project gets the types of the public entry, none of them any", async () => {
    const use = (code: string): string => `import { isTerminal, lanes, WorkItem, type FactoryClient, type ItemState, type Submission } from "${manifest.name}";\n${code}\n`;
    const compile = async (code: string): Promise<string> => {
      writeFileSync(join(installed, "use.ts"), use(code));
      writeFileSync(join(installed, "tsconfig.json"), JSON.stringify({ compilerOptions: { strict: true, noEmit: true, module: "nodenext", moduleResolution: "nodenext", target: "es2024", types: [] }, files: ["use.ts"] }));
      return (await execa(process.execPath, [join(root, "node_modules/typescript/lib/tsc.js"), "--project", "."], { cwd: installed, reject: false, stdin: "ignore" })).stdout;
    };
    const isAny = "type IsAny<T> = 0 extends 1 & T ? true : false;";
    const names = ["FactoryClient", "ItemState", "Submission", "ReturnType<typeof WorkItem.parse>", 'ItemState["item"]', 'ItemState["item"]["status"]', 'Submission["lane"]', "(typeof lanes)[number]", "ReturnType<typeof isTerminal>", 'Awaited<ReturnType<FactoryClient["items"]>>[number]'];
    expect(await compile(`${isAny}\nexport const all: [${names.map(() => "false").join(", ")}] = [${names.map((name) => `false satisfies IsAny<${name}>`).join(", ")}];`)).toBe("");
    // And they say something: wrong use is refused.
    expect(await compile('export const wrong = async (client: FactoryClient): Promise<number> => (await client.items())[0]?.item.title ?? "";')).toContain("TS2322");
  });

  test("STRUCT-01 importing the library starts nothing, and the bin starts the CLI", async () => {
    const script = `
      const library = await import("${manifest.name}");
      console.log(JSON.stringify({ lanes: library.lanes, kept: process.getActiveResourcesInfo().filter((kind) => !["TTYWrap", "PipeWrap", "FSReqPromise"].includes(kind)) }));`;
    const before = readdirSync(installed);
    const imported = await execa(process.execPath, ["--input-type=module", "-e", script], { cwd: installed, env: { ...env, HOME: installed }, stdin: "ignore" });
    expect(JSON.parse(imported.stdout)).toMatchObject({ lanes: ["manual", "none", "autopilot", "ralph", "ultrawork", "team"], kept: [] });
    expect(imported.stderr).toBe("");
    expect(readdirSync(installed)).toEqual(before);
    const help = await execa(join(installed, "node_modules", ".bin", "enact-factory"), ["--help"], { env, cwd: installed, stdin: "ignore" });
    expect(help.stdout).toContain("Usage: enact-factory");
  });

  test("PKG-03 nothing in the packed files or any help says omx", async () => {
    const files = textFiles(packageFolder()).filter((file) => !file.includes(`${manifest.name}/node_modules/`));
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => file.toLowerCase().includes("omx") || readFileSync(file, "utf8").toLowerCase().includes("omx"))).toEqual([]);
    const help = async (...path: readonly string[]): Promise<string> => (await execa(process.execPath, [join(packageFolder(), "dist/cli.js"), ...path, "--help"], { env, cwd: installed, stdin: "ignore" })).stdout;
    const commands = (text: string): readonly string[] => [...(text.split("\nCommands:\n")[1] ?? "").split("\n\n")[0]?.matchAll(/^ {2}([a-z][a-z-]*)/gm) ?? []].map((found) => found[1] ?? "").filter((name) => name !== "help");
    const top = await help();
    const texts = [top];
    for (const name of commands(top)) {
      const text = await help(name);
      texts.push(text, ...(await Promise.all(commands(text).map((inner) => help(name, inner)))));
    }
    expect(texts.length).toBeGreaterThan(20);
    for (const text of texts) expect(text.toLowerCase()).not.toContain("omx");
    expect(top).toContain("enact-factory");
  });

  test("PKG-04 the Agent Development License (ADL) is shipped, and package.json points at it", () => {
    expect(readFileSync(join(packageFolder(), "LICENSE"), "utf8")).toContain("Agent Development License (ADL)");
    expect(JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8"))).toMatchObject({ license: "SEE LICENSE IN LICENSE" });
  });

  test("STATE-06 the build fills dist/, which git does not track", async () => {
    expect(readdirSync(join(clone, "dist"))).toEqual(expect.arrayContaining(["cli.js", "index.js", "scripted-agent.js", "sqlite-writer.js", "types"]));
    expect((await execa("git", ["ls-files", "dist"], { cwd: root })).stdout).toBe("");
    expect((await execa("git", ["check-ignore", "dist"], { cwd: root })).stdout).toBe("dist");
  });

  test("PRE-01 engines asks for Node 22 or newer", () => {
    expect(manifest.engines.node).toMatch(/^>=22\./);
  });
});

describe("the repository", { timeout: guardMs }, () => {
  test("TECH-02 TECH-03 everything passes a strict type check, the build's dist/ has tsc's declarations, and what tsc alone emits runs as the bundle does", async () => {
    expect(JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"))).toMatchObject({ compilerOptions: { strict: true } });
    const out = join(directory, "tsc");
    writeFileSync(join(clone, "tsconfig.product.json"), JSON.stringify({ extends: "./tsconfig.json", include: ["src", "machines", "actors", "tmux"] }));
    const done = await execa(process.execPath, [join(root, "node_modules/typescript/lib/tsc.js"), "--project", "tsconfig.product.json", "--noEmit", "false", "--rewriteRelativeImportExtensions", "--rootDir", ".", "--outDir", out], { cwd: clone, reject: false, stdin: "ignore" });
    expect([done.exitCode, done.stdout]).toEqual([0, ""]);
    symlinkSync(join(root, "node_modules"), join(out, "node_modules"));
    const cli = async (file: string): Promise<string> => (await execa(process.execPath, [file, "validate", "--json"], { cwd: directory, env: { ...env, HOME: directory }, stdin: "ignore" })).stdout;
    expect(await cli(join(out, "src/main.js"))).toBe(await cli(join(clone, "dist/cli.js")));
    expect(existsSync(join(clone, "dist/types/index.d.ts"))).toBe(true);
  });

  const tracked = async (): Promise<readonly string[]> => (await execa("git", ["ls-files", "-z"], { cwd: root })).stdout.split("\0").filter((file) => file !== "");

  test("CARD-01 the product and its tests are TypeScript", async () => {
    const files = await tracked();
    // The demo's repository and the captured streams are data; what begins with a dot configures a tool.
    const scripts = files.filter((file) => /\.[cm]?jsx?$/.test(file) && !file.startsWith("fixtures/") && !file.startsWith("."));
    expect(scripts).toEqual([]);
    expect(files.filter((file) => /^(src|machines|actors)\/.*\.ts$/.test(file)).length).toBeGreaterThan(100);
  });

  test("the top level holds nothing but what the card names, dotfiles, the lock file and what tools want there", async () => {
    const named = ["package.json", "tsconfig.json", "src", "machines", "actors", "tmux", "config.toml.example", "docs", "fixtures", "tests", "README.md"];
    const insisted = ["package-lock.json", "knip.json", "LICENSE"];
    const top = new Set((await tracked()).map((file) => file.split("/")[0] ?? "").filter((name) => !name.startsWith(".")));
    expect([...top].filter((name) => !named.includes(name) && !insisted.includes(name))).toEqual([]);
  });

  test("STRUCT-19 CARD-17 TECH-14 npm test runs the suite, and it is Vitest's", async () => {
    expect(manifest.scripts["test"]).toContain("node tests/run.ts");
    const done = await execa(process.execPath, ["tests/run.ts", "tests/config/yaml.test.ts"], { cwd: root, env: { ...env, CI: "", NO_COLOR: "1" }, reject: false, stdin: "ignore" });
    expect(done.exitCode, done.stdout).toBe(0);
    expect(done.stdout).toMatch(/RUN +v5\./);
    expect(done.stdout).toMatch(/Tests +\d+ passed/);
  });

  test("TECH-13 npm run lint is oxlint, and it has nothing to say", async () => {
    const done = await execa("npm", ["run", "lint"], { cwd: root, env: { ...env, NO_COLOR: "1" }, reject: false, stdin: "ignore" });
    expect(done.exitCode, done.stdout).toBe(0);
    expect(manifest.scripts["lint"]).toBe("oxlint");
    expect(done.stdout).toContain("Found 0 warnings and 0 errors");
  });
});
