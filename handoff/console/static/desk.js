// What happens in the browser only: time that ticks, keys, drafts, scrolling, sound. All truth stays on the server.
(() => {
  const emit = (act, more = {}) => window.emitEvent?.("desk", { act, ...more });
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const remember = (key, value) => (value ? localStorage.setItem(key, value) : localStorage.removeItem(key));

  // -- time

  const span = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
  };
  // The server's clock counts, not this computer's.
  let skew = 0;
  const tick = (root = document) => {
    for (const time of $$("time[data-since]", root)) {
      const text = span((Date.now() + skew - Date.parse(time.dataset.since)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1000);

  // -- what the page says to the server

  document.addEventListener("click", (event) => {
    const actor = event.target.closest("[data-act]");
    if (actor) {
      event.preventDefault();
      if (actor.disabled || actor.dataset.busy) return;
      actor.dataset.busy = "1";
      setTimeout(() => delete actor.dataset.busy, 700);
      if (actor.dataset.act === "earlier") fromBottom = transcript.scrollHeight - transcript.scrollTop;
      emit(actor.dataset.act, { ...actor.dataset });
      return;
    }
    const local = event.target.closest("[data-local]");
    if (local) {
      event.preventDefault();
      locals[local.dataset.local]?.(local);
      local.closest("details.who")?.removeAttribute("open");
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) copyText(copy);
    for (const open of $$("details.who[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("change", (event) => {
    const field = event.target.closest("[data-change]");
    if (field) emit(field.dataset.change, { ...field.dataset, value: field.type === "checkbox" ? field.checked : field.value });
  });
  let searching;
  document.addEventListener("input", (event) => {
    const field = event.target.closest("[data-input]");
    if (field) {
      clearTimeout(searching);
      searching = setTimeout(() => emit(field.dataset.input, { value: field.value }), 200);
    }
    if (event.target.id === "reply") typed();
  });

  const copyText = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Press Ctrl+C";
    }
  };

  // -- keys

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
  const links = () => $$("#rows .entry-link");
  const step = (by) => {
    const all = links();
    if (!all.length) return;
    const at = all.findIndex((link) => link.closest(".entry").contains(document.activeElement));
    all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))].focus();
  };
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    c: () => (document.activeElement.closest(".entry")?.querySelector("[data-act=claim]") || $("#claim"))?.click(),
    t: () => $("#take-over")?.click(),
    h: () => $("#assign")?.click(),
    "/": () => $("#search")?.focus(),
    r: () => mode("reply"),
    n: () => mode("note"),
    e: () => locals.evidence(),
    "?": () => locals.keys(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (event.target.id === "reply" || event.target.id === "search") event.target.blur();
      for (const open of $$("details.who[open]")) open.open = false;
      return;
    }
    if (event.target.id === "reply") {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if ($(".q-dialog") || $("dialog[open]")) return;
    const key = keys[event.key];
    if (key) {
      event.preventDefault();
      key();
    }
  });

  // A row that is written anew under the cursor keeps the cursor.
  let row = null;
  document.addEventListener("focusin", (event) => (row = event.target.closest(".entry")?.dataset.key ?? null));
  document.addEventListener("pointerdown", (event) => (row = event.target.closest(".entry")?.dataset.key ?? null));
  const keepFocus = () => {
    if (row && document.activeElement === document.body)
      $(`.entry[data-key="${CSS.escape(row)}"] .entry-link`)?.focus({ preventScroll: true });
  };

  // -- new tickets: title, sound, notification

  const title = document.title;
  let known = null;
  let audio = null;
  const bell = () => localStorage.getItem("desk.bell") === "on";
  const showBell = () => {
    for (const button of $$("[data-local=bell]")) {
      button.setAttribute("aria-pressed", bell());
      button.title = bell() ? "Sound for new tickets is on" : "Sound for new tickets is off";
      $(".on", button).hidden = !bell();
      $(".off", button).hidden = bell();
    }
  };
  const ring = () => {
    audio ??= new AudioContext();
    [660, 880].forEach((pitch, place) => {
      const at = audio.currentTime + place * 0.14;
      const tone = audio.createOscillator();
      const level = audio.createGain();
      tone.frequency.value = pitch;
      level.gain.setValueAtTime(0, at);
      level.gain.linearRampToValueAtTime(0.06, at + 0.02);
      level.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
      tone.connect(level).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.32);
    });
  };

  // -- the reply

  let pending = null;
  let lastTyping = 0;
  const composer = () => $("#composer");
  const box = () => $("#reply");
  const isNote = () => composer()?.classList.contains("as-note");
  const draftKey = () => `${composer().dataset.draft}:${isNote() ? "note" : "reply"}`;
  const randomId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");
  const show = () => {
    const form = composer();
    if (!form) return;
    const note = isNote();
    const limit = Number(form.dataset.limit);
    const left = limit - box().value.length;
    const offline = document.body.classList.contains("offline");
    const sendButton = $("#send");
    sendButton.disabled = offline || Boolean(pending) || !box().value.trim() || left < 0;
    $("span", sendButton).textContent = pending ? "Sending…" : note ? "Add note" : "Send";
    $("#count").textContent = left < 500 ? `${left} characters left` : "";
    $("#count").classList.toggle("bad", left < 0);
    box().setAttribute("aria-label", note ? "Internal note" : form.dataset.label);
    box().placeholder = note ? "An internal note. The customer never sees it." : "Write a reply…";
    for (const button of $$(".modes button")) button.setAttribute("aria-pressed", (button.dataset.mode === "note") === note);
    const canReply = form.dataset.canReply === "true";
    form.hidden = !canReply && !note;
    const closed = $("#closed");
    if (closed) closed.hidden = canReply || note;
    const reply = $(".modes [data-mode=reply]");
    if (reply) reply.disabled = !canReply;
  };
  const mode = (wanted) => {
    const form = composer();
    if (!form || (wanted === "note" && form.dataset.canNote !== "true")) return;
    form.classList.toggle("as-note", wanted === "note");
    box().value = localStorage.getItem(draftKey()) || "";
    show();
    if (!form.hidden) box().focus();
  };
  const typed = () => {
    remember(draftKey(), box().value);
    show();
    if (!isNote() && box().value.trim() && Date.now() - lastTyping > 2500) {
      lastTyping = Date.now();
      emit("typing");
    }
  };
  let unanswered;
  const send = () => {
    show();
    if ($("#send").disabled) return;
    const text = box().value;
    const sent = composer().dataset.sent ? JSON.parse(composer().dataset.sent) : {};
    // The same text under the same id is said once, however often it is sent.
    const id = sent.text === text ? sent.id : randomId();
    pending = { id, note: isNote() };
    composer().dataset.sent = JSON.stringify({ id, text });
    emit(isNote() ? "note" : "reply", { text, id });
    clearTimeout(unanswered);
    unanswered = setTimeout(() => {
      pending = null;
      show();
    }, 8000);
    show();
  };

  // -- the transcript

  let transcript = null;
  let atEnd = true;
  let fromBottom = null;
  const toEnd = () => {
    transcript.scrollTop = transcript.scrollHeight;
    $("#newer").hidden = true;
  };
  const watchTranscript = () => {
    const found = $("#transcript");
    if (!found || found === transcript) return;
    transcript = found;
    transcript.addEventListener("scroll", () => {
      atEnd = transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight < 60;
      if (atEnd) $("#newer").hidden = true;
    });
    let height = transcript.scrollHeight;
    new MutationObserver(() => {
      if (fromBottom !== null) {
        transcript.scrollTop = transcript.scrollHeight - fromBottom;
        setTimeout(() => (fromBottom = null), 300);
      } else if (atEnd) toEnd();
      else if (transcript.scrollHeight > height) $("#newer").hidden = false;
      height = transcript.scrollHeight;
    }).observe(transcript, { childList: true, subtree: true });
    new ResizeObserver(() => atEnd && toEnd()).observe(transcript);
    toEnd();
  };

  // -- what buttons do here

  const locals = {
    theme: () => window.DeskTheme.toggle(),
    bell: () => {
      remember("desk.bell", bell() ? "" : "on");
      showBell();
      if (bell()) {
        ring();
        if (window.Notification?.permission === "default") Notification.requestPermission();
      }
    },
    mode: (button) => mode(button.dataset.mode),
    send: () => send(),
    newest: () => toEnd(),
    evidence: () => document.body.classList.toggle("show-evidence"),
    keys: () => $("#keys")?.showModal(),
  };

  // -- what the server says to the page

  window.Desk = {
    clock(now) {
      skew = Date.parse(now) - Date.now();
      tick();
    },
    waiting(ids, mine) {
      document.title = ids.length ? `(${ids.length}) ${title}` : title;
      const all = [...ids, ...mine];
      const fresh = known === null ? [] : all.filter((id) => !known.has(id));
      known = new Set(all);
      if (fresh.length && bell()) {
        ring();
        const body = mine.includes(fresh[0])
          ? "A colleague gave you a conversation."
          : "A customer is waiting for a person.";
        if (document.hidden && window.Notification?.permission === "granted")
          new Notification("Frontdesk", { body, tag: "frontdesk" });
      }
    },
    composer(canReply) {
      const form = composer();
      if (!form) return;
      form.dataset.canReply = canReply;
      if (!form.dataset.ready) {
        form.dataset.ready = "1";
        if (!box().value) box().value = localStorage.getItem(draftKey()) || "";
      }
      if (canReply && isNote() && !box().value) form.classList.remove("as-note");
      watchTranscript();
      show();
    },
    done(act, id, ok) {
      if (!pending || pending.id !== id) return;
      clearTimeout(unanswered);
      if (ok) {
        remember(`${composer().dataset.draft}:${pending.note ? "note" : "reply"}`, "");
        delete composer().dataset.sent;
        if (isNote() === pending.note) box().value = "";
        if (pending.note) {
          composer().classList.remove("as-note");
          box().value = localStorage.getItem(draftKey()) || "";
        }
        atEnd = true;
        if (transcript) toEnd();
      }
      pending = null;
      show();
      if (!composer().hidden) box().focus();
    },
    trouble(on) {
      const banner = $("#trouble");
      if (banner) banner.hidden = !on;
    },
    place(query) {
      history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
    },
  };

  // -- the connection

  const watchConnection = () => {
    const popup = $("#popup");
    popup.setAttribute("role", "alert");
    const lost = () => {
      document.body.classList.toggle("offline", popup.getAttribute("aria-hidden") === "false");
      show();
    };
    new MutationObserver(lost).observe(popup, { attributes: true, attributeFilter: ["aria-hidden"] });
    const socket = () => {
      if (!window.socket) return setTimeout(socket, 100);
      window.socket.on("connect_error", async () => {
        const answer = await fetch("/desk/session").catch(() => null);
        if (answer?.status === 401)
          location.assign(`/desk/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
      });
    };
    socket();
  };

  document.addEventListener("DOMContentLoaded", () => {
    window.DeskTheme.apply();
    new MutationObserver(() => {
      tick();
      keepFocus();
      showBell();
    }).observe($("#app"), { childList: true, subtree: true });
    watchConnection();
  });
})();
