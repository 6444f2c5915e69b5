/** Receivers of notices on loopback, as strict as the real ones. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createTcp, type AddressInfo, type Socket } from "node:net";
import { z } from "zod";

export interface Reply { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
export interface Received { readonly headers: IncomingHttpHeaders; readonly url: string; readonly body: string }
export interface HttpReceiver { readonly url: string; readonly received: Received[]; /** Answers of the next requests; then whatever `usual` says. */ readonly next: Reply[]; readonly [Symbol.asyncDispose]: () => Promise<void> }

export const httpReceiver = (usual: (request: Received) => Reply | "silence" = () => ({ status: 204 }), path = "/hook"): Promise<HttpReceiver> => new Promise((resolve) => {
  const received: Received[] = [], next: Reply[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => { body += chunk; }).on("end", () => {
      const got = { headers: request.headers, url: request.url ?? "", body };
      received.push(got);
      const reply = next.shift() ?? usual(got);
      if (reply !== "silence") response.writeHead(reply.status, reply.headers).end(reply.body ?? "");
    });
  });
  server.listen(0, "127.0.0.1", () => resolve({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, received, next,
    [Symbol.asyncDispose]: () => new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    }),
  }));
});

/** As docs/notifications.md tells a receiver to do it, without any code of ours. */
export const verified = (secret: string, { headers, body }: Received, now: number): boolean => {
  const timestamp = String(headers["x-enact-timestamp"]), given = Buffer.from(String(headers["x-enact-signature"]));
  const own = Buffer.from(`v1=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`);
  return own.length === given.length && timingSafeEqual(own, given) && Math.abs(now / 1_000 - Number(timestamp)) <= 300;
};

/** What Discord's documentation allows of a webhook's message; counted in code points, as it does. */
const size = (most: number) => z.string().refine((text) => [...text].length <= most, `longer than ${most}`);
export const DiscordMessage = z.strictObject({
  content: size(2_000).min(1),
  embeds: z.array(z.strictObject({ title: size(256), description: size(4_096), color: z.int().min(0).max(0xffffff), timestamp: z.iso.datetime() })).max(10)
    .refine((embeds) => embeds.reduce((sum, { title, description }) => sum + title.length + description.length, 0) <= 6_000, "embeds of more than 6000"),
  allowed_mentions: z.strictObject({ parse: z.array(z.never()).max(0) }),
});
export const discordReceiver = (): Promise<HttpReceiver> => httpReceiver(({ url, body, headers }) => {
  const parsed = DiscordMessage.safeParse(JSON.parse(body));
  if (!headers["content-type"]?.startsWith("application/json") || !parsed.success) return { status: 400, body: JSON.stringify({ code: 50_035, message: parsed.error?.message ?? "content type" }) };
  return url.includes("wait=true") ? { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ id: "1" }) } : { status: 204 };
}, "/api/webhooks/4711/token-of-a-test");

export interface Mail { readonly from: string; readonly to: readonly string[]; readonly data: string; readonly user: string }
export interface MailServer { readonly port: number; readonly mails: Mail[]; readonly [Symbol.asyncDispose]: () => Promise<void> }

/** One conversation of RFC 5321, with AUTH PLAIN; refuses what is out of order. `refuse`: a reply instead of taking the message. */
export const mailServer = (options: { readonly login?: { readonly user: string; readonly pass: string }; readonly refuse?: () => string | undefined } = {}): Promise<MailServer> => new Promise((resolve) => {
  const mails: Mail[] = [], sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    let buffer = "", data: string | undefined, from = "", to: string[] = [], user = "", greeted = false;
    const say = (line: string): void => { socket.write(`${line}\r\n`); };
    const heard = (line: string): void => {
      const [verb = "", rest = ""] = [line.slice(0, 4).toUpperCase(), line.slice(5)];
      if (verb === "EHLO" || verb === "HELO") { greeted = true; say("250-fake"); say("250-8BITMIME"); say("250 AUTH PLAIN"); return; }
      if (verb === "QUIT") { say("221 bye"); socket.end(); return; }
      if (!greeted) return say("503 greet first");
      if (verb === "AUTH") {
        const [, name = "", pass = ""] = Buffer.from(rest.replace(/^PLAIN /i, ""), "base64").toString().split("\0");
        if (options.login && (name !== options.login.user || pass !== options.login.pass)) return say("535 5.7.8 bad credentials");
        user = name;
        return say("235 in");
      }
      if (options.login && user === "") return say("530 5.7.0 sign in first");
      if (verb === "MAIL") { from = /<(.*)>/.exec(rest)?.[1] ?? ""; to = []; return say("250 ok"); }
      if (verb === "RCPT" && from !== "") { to.push(/<(.*)>/.exec(rest)?.[1] ?? ""); return say("250 ok"); }
      if (verb === "DATA" && to.length > 0) { data = ""; return say("354 go on"); }
      return say(verb === "RSET" ? "250 ok" : "503 out of order");
    };
    socket.on("data", (chunk) => {
      buffer += chunk.toString();
      for (let end = buffer.indexOf("\r\n"); end >= 0; end = buffer.indexOf("\r\n")) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        if (data === undefined) heard(line);
        else if (line === ".") {
          const refused = options.refuse?.();
          if (refused === undefined) mails.push({ from, to, data, user });
          data = undefined;
          say(refused ?? "250 taken");
        } else data += `${line.replace(/^\./, "")}\n`;
      }
    });
    say("220 fake ESMTP");
  });
  server.listen(0, "127.0.0.1", () => resolve({
    port: (server.address() as AddressInfo).port, mails,
    [Symbol.asyncDispose]: () => new Promise((done) => {
      server.close(() => done());
      for (const socket of sockets) socket.destroy();
    }),
  }));
});
