/** What counts as a secret, and what is left of a text without them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redactedText, redactor, secretsIn } from "../../src/daemon/secrets.ts";
import { nameSaysSecret, withoutShapes } from "../../src/domain/secret.ts";

describe("variables", () => {
  test.each(["GITHUB_TOKEN", "AZDO_PAT", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_API_KEY", "OPENAI_APIKEY", "PGPASSWORD", "MY_PASSWORD", "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE", "DISCORD_WEBHOOK_URL", "SENTRY_DSN", "npm_config_//registry.example/:_authToken", "webhookUrl", "apiKey", "BASIC_AUTH"])("%s is called a secret", (name) => {
    expect(nameSaysSecret(name)).toBe(true);
  });
  test.each(["PATH", "SSH_AUTH_SOCK", "MAX_THINKING_TOKENS", "TOKENIZERS_PARALLELISM", "SORT_KEY", "KEYBOARD", "PATIENCE_MS", "AUTHOR", "DATABASE_URL", "MONKEY"])("%s is not", (name) => {
    expect(nameSaysSecret(name)).toBe(false);
  });

  test("of a URL its password, of headers what they bear, of a key of several lines each; ordinary words and short values are none", () => {
    const found = secretsIn({
      DATABASE_URL: "postgres://user:p%40ssw0rd-1@db.example/app?sslmode=require", REMOTE: "https://abcdefghijklmnopqrstuvwxyz@example.test/x", SIGNED: "https://example.test/?access_token=0123456789abc&page=12345678",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer otel-bearer-1,x-tenant=tenant-number-9", SIGNER_KEY: "a1b2c3d4e5f6a7b8", SORT_KEY: "created_at_descending",
      DB_PASSWORD: "postgres", SHORT_TOKEN: "abc", DEPLOY_SECRET: "first-line-of-the-secret\nsecond-line-of-the-secret", EMPTY_TOKEN: undefined, HOME: "/home/somebody",
    }, ["from-the-configuration"]);
    expect(found.toSorted()).toEqual(["0123456789abc", "a1b2c3d4e5f6a7b8", "abcdefghijklmnopqrstuvwxyz", "first-line-of-the-secret", "first-line-of-the-secret\nsecond-line-of-the-secret", "from-the-configuration", "otel-bearer-1", "p%40ssw0rd-1", "p@ssw0rd-1", "second-line-of-the-secret", "tenant-number-9"]);
  });
});

describe("texts", () => {
  const github = `ghp_${"a1".repeat(18)}`, anthropic = `sk-ant-api03-${"b2".repeat(20)}`, npm = `npm_${"c3".repeat(18)}`;

  test("a secret is found as it stands, in JSON within JSON, and in a URL", () => {
    const secret = 'pass"word\\1/+é';
    const redact = redactor([secret]);
    const inner = JSON.stringify({ text: `it is ${secret}.` });
    expect(redact(JSON.stringify({ text: `it is ${secret}.`, inner, url: `https://example.test/?q=${encodeURIComponent(secret)}` }))).toBe(JSON.stringify({ text: "it is [secret].", inner: JSON.stringify({ text: "it is [secret]." }), url: "https://example.test/?q=[secret]" }));
    expect(redactedText(redact, secret)).toBe("[secret]");
  });

  test.each([
    ["tokens", `at ${github}, ${anthropic}:${npm}`, "at [secret], [secret]:[secret]"],
    ["a token at the beginning of a line", `first\n${github}\n\t${npm}`, "first\n[secret]\n\t[secret]"],
    ["a URL with a password", "cannot reach postgres://app:hunter2@db.example/app?sslmode=require", "cannot reach postgres://app:[secret]@db.example/app?sslmode=require"],
    ["conventional passwords", "postgres://enact:enact@localhost/db, https://user:password@host, https://$USER:$PASSWORD@host", "postgres://enact:enact@localhost/db, https://user:password@host, https://$USER:$PASSWORD@host"],
    ["the query of a URL", "GET https://example.test/x?access_token=abcdefgh1&page=2&sig=12345678%3D", "GET https://example.test/x?access_token=[secret]&page=2&sig=[secret]"],
    ["a webhook", `POST https://discord.com/api/webhooks/123456/${"wH-".repeat(20)} failed`, "POST https://discord.com/api/webhooks/123456/[secret] failed"],
    ["what a server says of a header", "401: invalid Authorization: Bearer abcdefghijklmnop", "401: invalid Authorization: Bearer [secret]"],
    ["a private key", 'key:\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nend', "key:\n[secret]\nend"],
    ["a private key without an end", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "[secret]"],
    ["words that only look alike", "risk-of-something-that-is-2-long, sk-learn-based-classification, task-1234567890123456789012", "risk-of-something-that-is-2-long, sk-learn-based-classification, task-1234567890123456789012"],
  ])("%s", (_what, text, clean) => {
    expect(withoutShapes(text)).toBe(clean);
    expect(redactedText(redactor([]), text)).toBe(clean);
    expect(withoutShapes(clean)).toBe(clean);
  });

  test("JSON stays JSON and nothing but the secret is gone, wherever it stands", () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom("\n", "\\", '"', "\t", github, npm, "npm_", "pm_", "-----BEGIN PRIVATE KEY-----", "://u:", "@", "Bearer ", "\u2028"));
    const long = fc.string({ minLength: 8, maxLength: 12 });
    fc.assert(fc.property(fc.array(piece), fc.array(piece), fc.oneof(long, long.map((text) => `n${text}`), long.map((text) => `"${text}\\`)), (before, after, secret) => {
      const text = `${before.join("")}${secret}${after.join("")}`;
      const clean: unknown = JSON.parse(redactor([secret])(JSON.stringify({ text })));
      expect(clean).toEqual({ text: expect.any(String) });
    }), { numRuns: 500 });
    fc.assert(fc.property(fc.string(), fc.string(), (before, after) => {
      const secret = "§planted§secret§";
      fc.pre(withoutShapes(before + after) === before + after);
      expect(redactedText(redactor([secret]), `${before}${secret}${after}`)).toBe(withoutShapes(`${before}[secret]${after}`));
    }));
  });
});
