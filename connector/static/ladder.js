// Climbs the launch ladder: where can this browser keep the login's secret until the platform answers?
// One script for both pages: at login it keeps the secret and goes on, at launch it fetches it and posts the launch.
(() => {
  const page = document.querySelector("[data-ladder]");
  const { rungs, origins, target, key, value, path, maxAge } = page.dataset;
  const platforms = origins.split(" ").filter(Boolean);
  const ANSWER_MS = 1500, OLD_NAMES_MS = 300;
  const OLD = "org.imsglobal.";
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const show = (part) => {
    for (const one of page.querySelectorAll("[data-part]")) one.hidden = one.dataset.part !== part;
  };

  // -- Platform storage ------------------------------------------------------------------------------------------

  const lms = () => (window.parent !== window ? window.parent : window.opener);
  const frameOf = (name) => {
    const around = lms();
    if (!around || name === "_parent") return around;
    // A frame of that name is looked up across origins; where there is none, looking is refused.
    try { return around.frames[name] || null; } catch { return null; }
  };
  const messageOf = (event) => {
    if (typeof event.data !== "string") return event.data;
    try { return JSON.parse(event.data); } catch { return null; }
  };

  // The secret is posted to the platform's own origins only, so that a stranger's page around us never reads it.
  const send = (frame, subject, fields) => {
    const id = newId();
    for (const origin of platforms) frame?.postMessage({ subject, message_id: id, ...fields }, origin);
    return id;
  };

  // Ask for something and wait for the answer with our id, from the very frame that was asked and from the platform's
  // own origin; null when there is none in time.
  const ask = (subject, fields) => new Promise((resolve) => {
    const around = lms();
    if (!around) { resolve(null); return; }
    const asked = new Map();
    const timers = [];
    const finish = (answer) => {
      removeEventListener("message", hear);
      timers.forEach(clearTimeout);
      resolve(answer);
    };
    const question = (frame, name) => { if (frame) asked.set(send(frame, name, fields), { frame, name }); };
    const wonder = newId();
    const hear = (event) => {
      const message = messageOf(event);
      if (!message || typeof message !== "object") return;
      if (message.subject === "org.sakailms.lti.prelaunch.response" && platforms.includes(event.origin)) {
        question(frameOf(target), subject);
      }
      // What a platform says it can do names a frame and nothing more: what is asked there is still sent to the
      // platform's own origins.
      if (message.subject === "lti.capabilities.response" && message.message_id === wonder && event.source === around) {
        const able = Array.isArray(message.supported_messages) ? message.supported_messages : [];
        const frame = able.find((one) => one?.subject === subject)?.frame;
        if (typeof frame === "string" && frame !== target) question(frameOf(frame), subject);
      }
      const mine = asked.get(message.message_id);
      if (!mine || event.source !== mine.frame || !platforms.includes(event.origin)) return;
      if (message.subject !== mine.name + ".response" || (message.key ?? fields.key) !== fields.key) return;
      if (!message.error) finish(message);
    };
    addEventListener("message", hear);
    // Sakai answers only frames that announced themselves; others pass this over.
    for (const origin of platforms) around.postMessage({ subject: "org.sakailms.lti.prelaunch" }, origin);
    around.postMessage({ subject: "lti.capabilities", message_id: wonder }, "*");
    question(frameOf(target || "_parent"), subject);
    timers.push(setTimeout(() => question(frameOf(target || "_parent"), OLD + subject), OLD_NAMES_MS));
    timers.push(setTimeout(() => finish(null), ANSWER_MS));
  });

  // -- Cookies ---------------------------------------------------------------------------------------------------

  const cookie = (name) => {
    const found = document.cookie.split("; ").find((one) => one.startsWith(name + "="));
    return found ? found.slice(name.length + 1) : "";
  };
  // The real cookie is out of a script's reach; another one tells whether this browser keeps cookies here at all.
  const keepsCookies = (how) => {
    const name = "kopir_try_" + key.slice(-12);
    document.cookie = `${name}=1; Path=${path}; Max-Age=30; SameSite=None; Secure${how}`;
    const kept = cookie(name) === "1";
    document.cookie = `${name}=; Path=${path}; Max-Age=0; SameSite=None; Secure${how}`;
    return kept;
  };

  const grant = async () => {
    try {
      if (!document.requestStorageAccess) return false;
      await document.requestStorageAccess();
      return true;
    } catch { return false; }
  };
  // Without a question where the browser has allowed it before; else a person has to press a button.
  const access = async () => {
    if (!document.requestStorageAccess) return false;
    if (await document.hasStorageAccess().catch(() => false)) return true;
    const asked = navigator.permissions?.query({ name: "storage-access" });
    const state = asked ? await asked.then((one) => one.state, () => "prompt") : "prompt";
    if (state === "denied") return false;
    if (state === "granted" && (await grant())) return true;
    show("ask");
    return new Promise((resolve) => {
      page.querySelector("[data-allow]").addEventListener("click", () => grant().then(resolve), { once: true });
    });
  };

  // -- The rungs -------------------------------------------------------------------------------------------------

  const go = (rung) => { location.replace(page.dataset[rung]); return true; };

  const login = {
    async storage() {
      return (await ask("lti.put_data", { key, value })) ? go("urlStorage") : false;
    },
    async cookie() {
      return keepsCookies("; Partitioned") ? go("urlCookie") : false;
    },
    async storage_access() {
      if (!(await access()) || !keepsCookies("")) return false;
      document.cookie = `${key}=${value}; Path=${path}; Max-Age=${maxAge}; SameSite=None; Secure`;
      return go("urlStorageAccess");
    },
    async window() {
      show("window");
      return true;
    },
  };

  const launch = {
    async storage() {
      const answer = await ask("lti.get_data", { key });
      // Used once: what is kept there is of no use to anybody any more.
      if (answer) send(frameOf(target || "_parent"), "lti.put_data", { key, value: null });
      return hand(answer && typeof answer.value === "string" ? answer.value : "");
    },
    async storage_access() {
      const secret = (await access()) ? cookie(key) : "";
      document.cookie = `${key}=; Path=${path}; Max-Age=0; SameSite=None; Secure`;
      return hand(secret);
    },
  };
  const hand = (secret) => {
    page.querySelector("[data-secret]").value = secret;
    page.querySelector("[data-launch]").submit();
    return true;
  };

  const climb = async () => {
    page.querySelector("[data-scripted]").hidden = false;
    const steps = page.dataset.step === "login" ? login : launch;
    for (const rung of rungs.split(" ")) {
      if (opened) return;
      if (await steps[rung]()) return;
    }
  };

  // -- The window ------------------------------------------------------------------------------------------------

  let opened = null;
  const watch = () => {
    const links = page.querySelectorAll("[data-window]");
    if (!links.length) return;
    let address = "";
    const openWindow = (url) => {
      opened = window.open(url, links[0].target);
      page.querySelector("[data-blocked]").hidden = Boolean(opened);
      show(opened ? "opened" : "window");
    };
    for (const link of links) {
      link.addEventListener("click", (event) => { event.preventDefault(); openWindow(link.href); });
    }
    addEventListener("message", (event) => {
      if (!opened || event.source !== opened || event.origin !== location.origin) return;
      const told = event.data?.kopirOpened;
      if (typeof told === "string" && /^\/l\/[0-9a-f-]+\/$/.test(told)) address = told;
    });
    const again = page.querySelector("[data-again]");
    again.addEventListener("click", (event) => { event.preventDefault(); openWindow(address); });
    // A platform may cut the tie between the two windows; then the window only seems closed. What said that it had
    // opened and is gone now has really been closed.
    setInterval(() => { if (opened && opened.closed && address) { again.href = address; opened = null; show("closed"); } }, 500);
  };

  watch();
  // Whatever goes wrong here, nobody is left before a page that waits for ever.
  climb().catch(() => (page.dataset.step === "login" ? show("window") : hand("")));
})();
