// The TypeScript SDK's client, asked in JSON lines (line_client.py says which): node story.mjs RELEASE URL ERA, the key
// in MCP_KEY. RELEASE is client (the SDK's second release line, both eras) or sdk (its first, initialize only).
import { createInterface } from "node:readline";

const [, , release, url, era] = process.argv;
const [{ Client }, { StreamableHTTPClientTransport }] =
  release === "client"
    ? Array(2).fill(await import("@modelcontextprotocol/client"))
    : [
        await import("@modelcontextprotocol/sdk/client/index.js"),
        await import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      ];

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { Authorization: `Bearer ${process.env.MCP_KEY}` } },
});
const client = new Client({ name: "story", version: "1" }, { versionNegotiation: { mode: era } });

async function answer({ tool, arguments: given }) {
  if (!tool) {
    return await client.listTools();
  }
  const result = await client.callTool({ name: tool, arguments: given });
  const text = result.content.map((block) => block.text).join("");
  return { is_error: result.isError ?? false, structured: result.structuredContent ?? null, text };
}

// The second release line says which revision was agreed on; the first keeps it in its transport.
const revision = () => client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;

try {
  await client.connect(transport);
  say({ revision: revision() });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await answer(JSON.parse(line)).catch((error) => ({ refused: String(error) })));
  }
  await client.close();
} catch (error) {
  say({ refused: String(error) });
}
