// Drives the npm packages `openai` and `ai` against a server. Prints one JSON object with what they returned.
const { pathToFileURL } = require("node:url");

const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const [baseURL, apiKey] = process.argv.slice(2);
const ask = [{ role: "user", content: "When is high water?" }];

async function useOpenAI() {
  const { default: OpenAI } = await load("openai");
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  const whole = await client.chat.completions.create({ model: "guide", messages: ask });
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ model: "guide", messages: ask, stream: true })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
  }
  const first = await client.responses.create({ model: "guide", input: "When?" });
  const stored = await client.responses.retrieve(first.id);
  const refused = await client.chat.completions
    .create({ model: "guide", messages: ask, background_music: true })
    .catch((error) => ({ status: error.status, param: error.param }));
  return {
    whole: whole.choices[0].message.content,
    streamed,
    stored: stored.output_text === undefined ? stored.output[0].content[0].text : stored.output_text,
    refused: [refused.status, refused.param],
  };
}

async function useAI() {
  const { generateText, streamText, tool, jsonSchema, stepCountIs } = await load("ai");
  const { createOpenAI } = await load("@ai-sdk/openai");
  const provider = createOpenAI({ baseURL, apiKey });
  const weather = tool({
    description: "Tells the weather.",
    inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
    execute: async ({ city }) => `rain in ${city}`,
  });
  const answers = {};
  for (const [name, model] of [["chat", provider.chat("guide")], ["responses", provider.responses("guide")]]) {
    const stream = streamText({ model, prompt: "When is high water?", maxRetries: 0 });
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    const asked = { model, prompt: "Weather?", tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
    const { text: answer, steps } = await generateText(asked);
    answers[name] = { streamed: text, tool: answer, steps: steps.length };
  }
  return answers;
}

(async () => {
  const found = { openai: await useOpenAI(), ai: await useAI() };
  console.log(JSON.stringify(found));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
