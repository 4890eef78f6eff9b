// Platform storage for the tools in this page's frames. The element that loads the script says who may ask:
// <script src="…/storage.js" data-tools="https://tool.example …" data-frame="_parent" data-announced=""></script>
(() => {
  const { tools, frame, announced } = document.currentScript.dataset;
  const allowed = new Set(tools.split(" ").filter(Boolean));
  const MOST_KEYS = 500, LONGEST = 4096;
  const OLD = "org.imsglobal.";
  const PRELAUNCH = "org.sakailms.lti.prelaunch";
  const stored = new Map();
  const known = new WeakSet();

  const refuse = (code, message) => ({ error: { code, message } });
  const isText = (value) => typeof value === "string" && value.length <= LONGEST;
  const ofTool = (origin) => {
    if (!stored.has(origin)) stored.set(origin, new Map());
    return stored.get(origin);
  };

  const answers = {
    "lti.capabilities": () => ({
      supported_messages: ["lti.put_data", "lti.get_data"].map((subject) => ({ subject, frame })),
    }),
    "lti.put_data": ({ key, value }, origin) => {
      if (!isText(key) || !key) return refuse("bad_request", "key must be a text of 1 to 4096 characters");
      const kept = ofTool(origin);
      if (value === null || value === undefined) {
        kept.delete(key);
        return { key, value: null };
      }
      if (!isText(value)) return refuse("bad_request", "value must be a text of at most 4096 characters");
      if (!kept.has(key) && kept.size >= MOST_KEYS) return refuse("storage_exhaustion", "too many keys");
      kept.set(key, value);
      return { key, value };
    },
    "lti.get_data": ({ key }, origin) => {
      if (!isText(key) || !key) return refuse("bad_request", "key must be a text of 1 to 4096 characters");
      return { key, value: ofTool(origin).get(key) ?? null };
    },
  };

  addEventListener("message", (event) => {
    const message = event.data;
    if (!message || typeof message !== "object" || typeof message.subject !== "string" || !event.source) return;
    const reply = (fields) => event.source.postMessage({ subject: message.subject + ".response", ...fields }, event.origin);
    if (message.subject === PRELAUNCH) {
      if (!allowed.has(event.origin)) return;
      known.add(event.source);
      if (announced) reply({});
      return;
    }
    const name = message.subject.startsWith(OLD) ? message.subject.slice(OLD.length) : message.subject;
    if (!Object.hasOwn(answers, name) || typeof message.message_id !== "string") return;
    const { message_id } = message;
    // A page that is no tool of ours learns that it is none, and nothing else.
    if (!allowed.has(event.origin)) reply({ message_id, ...refuse("wrong_origin", "not the origin of a tool") });
    else if (!announced || known.has(event.source)) reply({ message_id, ...answers[name](message, event.origin) });
  });
})();
