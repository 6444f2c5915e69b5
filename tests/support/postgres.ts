// Owns: one real PostgreSQL server for the test file that starts it, on a free port of 127.0.0.1 and a Unix socket.
// I1 The server and its directory belong to a watching shell that ends with this process: a killed test run leaves nothing behind.
// I2 PostgreSQL refuses to run as root; then it runs as the user `postgres`.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { Client, type QueryResult } from "pg";

const debianFolders = (): string[] => {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return [];
  return readdirSync(root).sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, "bin"));
};

/** The folder of PostgreSQL's programs: on PATH, or where Debian puts them. */
export const findPostgres = (): string | undefined => [...(process.env["PATH"] ?? "").split(delimiter), ...debianFolders()]
  .find((folder) => ["initdb", "pg_ctl", "postgres"].every((program) => existsSync(join(folder, program))));

/**
 * Where PostgreSQL is, for `describe.skipIf(postgres === undefined)`. Says loudly that it is missing; with CI=true that is an error.
 */
export const postgresOrSkip = (): string | undefined => {
  const bin = findPostgres();
  if (bin !== undefined) return bin;
  const message = "PostgreSQL is missing: the store's contract on it is NOT tested. Debian: apt-get install --no-install-recommends postgresql";
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return undefined;
};

const freePort = (): Promise<number> => new Promise((resolve, reject) => {
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => (address === null || typeof address === "string" ? reject(new Error("no port")) : resolve(address.port)));
  });
});

// $1 bin, $2 directory, $3 fsync on or off, the rest: ports to try. Says `ready PORT`, waits for the end of its input, then clears up, whatever happened.
const watch = `
bin=$1 dir=$2 fsync=$3; shift 3
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }
finish() { as "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$dir"; }
trap finish EXIT
trap '' HUP INT TERM
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
cd "$dir" || exit 1
as "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || as "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync -E UTF8 --no-locale >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; exit 1; }
for port in "$@"; do
  if as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/server.log" -o "-p $port -k $dir -c listen_addresses=127.0.0.1 -c fsync=$fsync -c max_connections=100" start >/dev/null 2>&1 </dev/null; then
    echo "ready $port"; cat >/dev/null; exit 0
  fi
done
cat "$dir/server.log"; exit 1
`;

export interface PostgresServer {
  readonly port: number;
  /** Folder of the server's Unix socket. */
  readonly socket: string;
  readonly url: (database: string) => string;
  /** A new, empty database; returns its URL. */
  readonly createDatabase: () => Promise<string>;
  /** Runs statements as the superuser. */
  readonly query: (text: string) => Promise<QueryResult>;
  readonly stop: () => Promise<void>;
}

const ready = (child: ChildProcess): Promise<number> => new Promise((resolve, reject) => {
  const said: string[] = [];
  child.once("error", reject);
  child.once("exit", () => reject(new Error(`PostgreSQL did not start:\n${said.join("\n")}`)));
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      said.push(line);
      if (line.startsWith("ready ")) resolve(Number(line.slice(6)));
    });
  }
});

/** Starts a server (about a second), without fsync unless asked for. `stop` it in `afterAll`; a killed run needs no stop (I1). */
export const startPostgres = async (bin: string, options: { readonly fsync?: boolean } = {}): Promise<PostgresServer> => {
  const directory = mkdtempSync(join(tmpdir(), "enact-pg-"));
  const ports = [await freePort(), await freePort(), await freePort()];
  // Detached: a Ctrl-C for the test run must not reach the watcher before it can clear up.
  const child = spawn("/bin/sh", ["-c", watch, "postgres-watch", bin, directory, options.fsync === true ? "on" : "off", ...ports.map(String)], {
    stdio: ["pipe", "pipe", "ignore"], detached: true, env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await ready(child);
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const query = async (text: string): Promise<QueryResult> => {
    const client = new Client({ connectionString: url("postgres") });
    await client.connect();
    try {
      return await client.query(text);
    } finally {
      await client.end();
    }
  };
  let databases = 0;
  return {
    port, socket: directory, url, query,
    createDatabase: async () => {
      const name = `test_${++databases}`;
      await query(`CREATE DATABASE ${name}`);
      return url(name);
    },
    stop: async () => {
      child.stdin?.end();
      await exited;
    },
  };
};
