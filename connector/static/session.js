// A launch's page in the browser: its token is kept for this tab, renewed while the page is open, and carries the
// session where no cookie lives. An address never holds it.
(() => {
  const meta = document.querySelector("meta[name=kopir-token]");
  const launch = document.querySelector("meta[name=kopir-launch]");
  const space = launch.content;
  const key = "kopir" + space;
  const RENEW_MS = 30 * 60 * 1000, LOOK_MS = 20 * 1000;

  const remember = () => {
    // For the day a full cookie jar drops this launch's cookie; a browser may refuse storage in a frame.
    try { sessionStorage.setItem(key, meta.content); } catch { /* Then the token in the page is all there is. */ }
  };
  const renew = async () => {
    try {
      const answer = await fetch(space + "renew", { method: "POST", headers: { "X-Kopir-Token": meta.content } });
      if (!answer.ok) return;
      meta.content = (await answer.json()).token;
      for (const field of document.querySelectorAll("input[name=kopir_token]")) field.value = meta.content;
      remember();
    } catch { /* The next time will do: a token outlives many of these. */ }
  };
  remember();
  setInterval(renew, RENEW_MS);

  // The frame of the LMS that this window was opened from says what goes on here.
  if ("windowed" in launch.dataset && window.opener) window.opener.postMessage({ kopirOpened: space }, location.origin);

  // A script cannot see the launch's cookie, but it cannot write over it either: where its own one sticks, the
  // launch's is gone. Costs no request.
  const attributes = `; Path=${space}; SameSite=None; Secure; Partitioned`;
  const cookieGone = () => {
    document.cookie = `kopir_launch=x; Max-Age=9${attributes}`;
    if (!/(^|; )kopir_launch=x(;|$)/.test(document.cookie)) return false;
    document.cookie = `kopir_launch=; Max-Age=0${attributes}`;
    return true;
  };
  const alone = () => "alone" in launch.dataset || cookieGone();
  // The answer to a renewal brings the cookie back, to browsers that keep one.
  const heal = () => { if (cookieGone()) renew(); };
  setInterval(heal, LOOK_MS);
  addEventListener("focus", heal);
  addEventListener("pageshow", heal);

  const inSpace = (address) => {
    const url = new URL(address, location.href);
    return url.origin === location.origin && url.pathname.startsWith(space) ? url : null;
  };
  // Open an address as a link would, with the token in a form instead of a cookie.
  const open = (url, target) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: url.pathname + url.search + url.hash, target: target || "", hidden: true });
    for (const [name, value] of [["kopir_token", meta.content], ["kopir_go", "1"]]) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const url = link && !event.defaultPrevented && event.button === 0 ? inSpace(link.href) : null;
    if (!url) return;
    if (url.hash && url.pathname === location.pathname && url.search === location.search) return;
    if (!alone()) return;
    event.preventDefault();
    open(url, event.ctrlKey || event.metaKey || event.shiftKey ? "_blank" : link.target);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "get") return;
    const url = inSpace(form.action);
    if (!url || !alone()) return;
    event.preventDefault();
    url.search = new URLSearchParams(new FormData(form, event.submitter)).toString();
    open(url, form.target);
  });
  // A frame of ours waits for its address, so that nothing is loaded without the token first.
  const frames = () => {
    for (const frame of document.querySelectorAll("iframe[data-kopir-src]")) {
      const url = inSpace(frame.dataset.kopirSrc);
      if (url) open(url, frame.name);
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", frames);
  else frames();
})();
