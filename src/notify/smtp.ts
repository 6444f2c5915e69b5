import { Effect } from "effect";
import { bodyText, cut, subjectText } from "../domain/notice-text.ts";
import { plainLine } from "../domain/plain-text.ts";
import { type NoticeChannel, NotifyFailed } from "../ports/notifier.ts";
import { timeoutMs } from "./post.ts";

/**
 * E-mail by a mail server.
 *
 * I1 Nothing goes in the clear but on loopback, or where the configuration says so. I2 The `Message-ID` is the message's id at every try.
 */
export interface SmtpOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: "required" | "off";
  readonly auth: { readonly user: string; readonly pass: string } | null;
  readonly from: string;
  readonly to: readonly string[];
}

export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);

export const smtp = ({ name, host, port, tls, auth, from, to }: SmtpOptions): NoticeChannel => ({
  name,
  probe: async () => ({ ok: true, detail: `e-mail by ${host}:${port}, TLS ${tls}, to ${to.length} address${to.length === 1 ? "" : "es"}` }),
  send: (message) => Effect.tryPromise({
    try: async () => {
      // Needed by those alone who have such a channel.
      const { createTransport } = await import("nodemailer");
      const transport = createTransport({
        host, port, secure: tls === "required" && port === 465, requireTLS: tls === "required", ignoreTLS: tls === "off", ...(auth ? { auth } : {}),
        connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, dnsTimeout: timeoutMs, disableFileAccess: true, disableUrlAccess: true,
      });
      try {
        const { rejected } = await transport.sendMail({
          from, to: [...to], subject: `[enact-factory] ${subjectText(message)}`, text: bodyText(message), messageId: `<${message.id}@enact-factory.invalid>`, date: new Date(message.at),
          headers: { "Auto-Submitted": "auto-generated", "X-Enact-Delivery": message.id, ...(message.severity === "urgent" ? { Importance: "high" } : {}) },
        });
        if (rejected.length > 0) throw new Error(`the server refused ${rejected.length} of ${to.length} addresses`);
      } finally {
        transport.close();
      }
    },
    catch: (error) => new NotifyFailed({ message: cut(plainLine(error instanceof Error ? error.message : String(error)), 300), retryAfterMs: null }),
  }),
});
