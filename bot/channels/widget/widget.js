/* The Frontdesk chat. Options and protocol: docs/channels.md */
(async () => {
"use strict";
const script = document.currentScript || document.querySelector('script[src*="/widget.js"]');
if (!script || window.Frontdesk) return;
window.Frontdesk = { open, close };
const option = script.dataset;
const base = script.src.replace(/\/widget\.js.*$/, "");
const [lang] = (option.lang || document.documentElement.lang).match(/^[a-z]{2}(-[A-Z]{2})?/) || ["en"];
const words = {
	open: "Open chat", close: "Close chat", log: "Conversation", write: "Write a message", send: "Send", you: "You",
	intro: "Ask us anything, or ask for a person.", sending: "Sending…", sent: "Sent", failed: "Not sent.",
	again: "Try again", typing: "{0} is typing", team: "{0}, from our team", person: "A colleague",
	fresh: "New message from {0}", connecting: "Connecting…", jump: "New messages", left: "Characters left: {0}",
	over: "Characters too many: {0}", offline: "You're offline. We'll send your messages when you're back.",
	fast: "That was quick. Your next message goes out in {0} s.",
};
if (!lang.startsWith("en")) {
	try {
		Object.assign(words, await (await fetch(`${base}/words/${lang.slice(0, 2)}.json`)).json());
	} catch { /* stays English */ }
}
const say = (key, value) => words[key].replace("{0}", value);

const CSS = `
:host{all:initial;--c:#0f6b63;--on:#fff;--bg:#fff;--in:#f0f3f2;--ink:#1b2624;--dim:#5b6866;--line:#dfe4e2;--bad:#b3261e}
@media (prefers-color-scheme:dark){:host{--bg:#161c1b;--in:#262e2c;--ink:#edf2f0;--dim:#a6b3b0;--line:#36403d;--bad:#ff9b92}}
*{box-sizing:border-box;margin:0}
.all{--r:20px;--l:auto;font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink)}
.left{--r:auto;--l:20px}
[hidden]{display:none!important}
button{font:inherit;color:inherit;background:none;border:1px solid #0000;border-radius:30px;padding:9px;cursor:pointer}
:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
svg{width:24px;height:24px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;display:block}
.sr,.me .who,.same .who{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.launch,dialog{position:fixed;z-index:99999999;inset:auto var(--r) 20px var(--l);box-shadow:0 6px 32px #0004}
.launch{padding:17px}
.badge{position:absolute;top:-4px;right:-4px;min-width:22px;border-radius:11px;background:#c62828;color:#fff;font-size:13px;line-height:22px;font-weight:700}
dialog{width:390px;height:min(640px,calc(100vh - 40px));max-width:none;max-height:none;padding:0;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:18px;overflow:hidden}
dialog[open]{display:flex;flex-direction:column}
header{display:flex;align-items:center;padding:13px 10px;padding-inline-start:18px}
header,.launch,.go,.me .text,.quick button:hover{background:var(--c);color:var(--on)}
header div{flex:1;min-width:0;overflow-wrap:anywhere}
h2{font-size:17px;line-height:1.3}
.with,.typing,.notice,#count{font-size:13px}
header :focus-visible,.launch,.log{outline-offset:-3px}
header :focus-visible,.launch,.text a{outline-color:currentColor}
.log{flex:1;overflow-y:auto;overscroll-behavior:contain;padding:14px;display:flex;flex-direction:column;gap:3px}
.intro{text-align:center;padding:9px 20px}
.intro,.who,.state,#count,.typing{color:var(--dim)}
.m{max-width:88%;align-self:flex-start;margin-top:10px}
.same{margin:0}
.me{align-self:flex-end;text-align:end}
.who,.state{font-size:12.5px;margin:2px 4px}
.agent .who::before{content:"● ";color:#2e9e5b}
.text{display:inline-block;padding:9px 13px;border:1px solid #0000;border-radius:16px;background:var(--in);white-space:pre-wrap;overflow-wrap:anywhere;text-align:start;unicode-bidi:plaintext}
.sending .text{opacity:.6}
.failed .text{background:none;color:inherit;border-color:var(--bad)}
.failed .state,#count.over{color:var(--bad)}
.text a{color:inherit}
.state button{text-decoration:underline;padding:4px}
.quick{display:flex;flex-wrap:wrap;gap:8px;padding:9px 0 2px}
.quick button{border-color:var(--c);padding:9px 15px;font-size:15px;overflow-wrap:anywhere}
.typing{display:flex;align-items:center;gap:10px;padding:2px 14px 10px}
.dots{display:flex;gap:4px;padding:12px;border-radius:16px;background:var(--in)}
i{width:7px;height:7px;border-radius:50%;background:var(--dim);animation:beat .6s infinite alternate}
i+i{animation-delay:.2s}i+i+i{animation-delay:.4s}
@keyframes beat{from{opacity:.3}}
.jump{align-self:center;margin:-52px 0 8px;z-index:1;padding:8px 16px;background:var(--ink);color:var(--bg);font-size:14px}
.notice{padding:8px 16px;background:#fff3d6;color:#5a4300}
form{display:flex;align-items:flex-end;gap:8px;padding:10px 12px;border-top:1px solid var(--line)}
textarea{flex:1;min-width:0;max-height:132px;padding:9px 15px;font:inherit;color:inherit;background:var(--in);border:1px solid #0000;border-radius:22px;resize:none}
textarea::placeholder{color:var(--dim);opacity:1}
textarea:focus-visible{outline:0;border-color:var(--ink)}
.go:disabled{background:var(--in);color:var(--dim)}
[dir=rtl] .go{transform:scaleX(-1)}
#count{padding:0 18px 8px;text-align:end}
@media (max-width:600px){dialog{inset:0;width:auto;height:var(--h,100dvh);border:0;border-radius:0;padding-bottom:env(safe-area-inset-bottom)}}
@media (prefers-reduced-motion){*{animation:none!important}}`;

/* Building blocks */
function make(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) node[name] = value;
		else if (value !== undefined) node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}
function icon(path) {
	const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
	svg.setAttribute("viewBox", "0 0 24 24");
	line.setAttribute("d", path);
	svg.append(line);
	return svg;
}
function withLinks(text) {
	return text.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?'’)\]])/i).map((part, odd) =>
		odd % 2 ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part);
}
/* Kept in the browser: who I am, what is not sent yet. Other tabs write too: read before each write. */
const memory = {};
const store = {
	get(name) {
		try { return JSON.parse(localStorage[base + name] ?? null); } catch { return memory[name]; }
	},
	set(name, value) {
		memory[name] = value;
		try { localStorage[base + name] = JSON.stringify(value); } catch { /* for this page only */ }
	},
};
const pending = () => store.get("pending") || [];
function order(a, b) {
	const [[x, i], [y, j]] = [a, b].map((place) => (place || "0-0").split("-").map(Number));
	return x - y || i - j;
}

/* The page's side */
const host = make("frontdesk-chat");
const root = host.attachShadow({ mode: "open" });
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
root.adoptedStyleSheets = [sheet];
if (/^#[0-9a-f]{6}$/i.test(option.color)) {
	const [r, g, b] = [1, 3, 5].map((i) => (parseInt(option.color.slice(i, i + 2), 16) / 255) ** 2.2);
	host.style.cssText = `--c:${option.color};--on:${0.21 * r + 0.72 * g + 0.07 * b > 0.2 ? "#111" : "#fff"}`;
}
const phone = matchMedia("(max-width:600px)");
const badge = make("span", { class: "badge", hidden: "" });
const launch = make("button", { class: "launch", "aria-label": words.open, onclick: open },
	icon("M21 12a8 8 0 0 1-8 8H4l2.2-3.1A8 8 0 1 1 21 12ZM9 12h.01M13 12h.01M17 12h.01"), badge);
const title = make("h2", { id: "title" }, option.title || words.log);
const speaker = make("p", { class: "with" });
const log = make("div", { class: "log", role: "log", "aria-live": "off", "aria-label": words.log, tabindex: 0,
	onscroll() { stuck = log.scrollHeight - log.scrollTop - log.clientHeight < 80; if (stuck) jump.hidden = true; } },
	make("p", { class: "intro", dir: "auto" }, option.greeting || words.intro));
const jump = make("button", { class: "jump", hidden: "", onclick: toEnd }, words.jump + " ↓");
const typist = make("span", { dir: "auto" });
const typing = make("div", { class: "typing", hidden: "" },
	make("span", { class: "dots" }, make("i"), make("i"), make("i")), typist);
const notice = make("div", { class: "notice", role: "status", hidden: "" });
const field = make("textarea", { rows: 1, dir: "auto", placeholder: words.write, "aria-label": words.write,
	"aria-describedby": "count", oninput: fit,
	onkeydown(event) {
		if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
	} });
const go = make("button", { class: "go", "aria-label": words.send }, icon("M4 12h15M13 6l6 6-6 6"));
const count = make("p", { id: "count", hidden: "" });
const panel = make("dialog", { "aria-labelledby": "title", onclose: closed,
	onkeydown(event) { if (event.key === "Escape") { event.preventDefault(); close(); } } },
	make("header", {}, make("div", {}, title, speaker),
		make("button", { "aria-label": words.close, onclick: close }, icon("m6 6 12 12M18 6 6 18"))),
	log, jump, typing, notice,
	make("form", { onsubmit(event) { event.preventDefault(); submit(); } }, field, go), count);
const aside = make("div", { class: "sr", role: "status" });
root.append(make("div", { class: "all " + (option.position || ""), lang,
	dir: /^(ar|fa|he|ur)/.test(lang) ? "rtl" : "ltr" }, launch, panel, aside));

let limit = 1e5, name = "", colleague = words.person, place = "", seen = store.get("seen"), unread = 0, agentUntil = 0;
let stuck = true; // the newest message is in sight, and has to stay there
const mine = new Map(); // my own id of a message → its bubble
const busy = new Map(); // messages that are being worked on → since when

function open(unasked) {
	if (panel.open) return;
	if (phone.matches) panel.showModal(); else panel.open = true; // show() would take the focus
	launch.hidden = true;
	store.set("open", true);
	fit();
	toEnd();
	if (unasked !== true) field.focus();
	markSeen();
	link.start();
}
function close() { panel.close(); }
function closed() {
	launch.hidden = false;
	store.set("open", false);
	launch.focus();
}
function toEnd() { log.scrollTop = log.scrollHeight; stuck = jump.hidden = true; }
new ResizeObserver(() => { if (stuck) toEnd(); }).observe(log);
function tell(text) { notice.hidden = !text; notice.textContent = text; }
function fit() {
	field.style.height = "auto";
	field.style.height = field.scrollHeight + 2 + "px";
	const left = limit - [...field.value.trim()].length;
	go.disabled = left === limit || left < 0;
	count.hidden = left > 500;
	count.className = left < 0 ? "over" : "";
	count.textContent = say(left < 0 ? "over" : "left", Math.abs(left));
}
function markSeen() {
	if (!panel.open || document.hidden) return;
	badge.hidden = true;
	unread = 0;
	if (order(place, seen) > 0) store.set("seen", (seen = place));
}
function showTyping() {
	const now = Date.now(), person = now < agentUntil;
	typing.hidden = !person && ![...busy.values()].some((since) => now - since < 6e4);
	typist.className = person ? "" : "sr";
	typist.textContent = say("typing", person ? colleague : name);
}

/* The conversation: what has its place in the mailbox, then what has none */
function bubble(kind, who, text, at) {
	const old = Date.now() - at > 64e6;
	const when = at.toLocaleString(lang, { timeStyle: "short", ...(old && { dateStyle: "medium" }) });
	const node = make("div", { class: "m " + kind, "data-by": kind + who },
		make("div", { class: "who" }, `\u2068${who}\u2069 · ${when}`), make("div", { class: "text", dir: "auto" }, ...withLinks(text)));
	node.placed = kind !== "me";
	return node;
}
function put(node) {
	const next = node.placed && [...mine.values()].find((one) => !one.placed) || null;
	if (!node.parentNode || node.nextSibling !== next) log.insertBefore(node, next);
	for (const one of [node, next]) one?.classList.toggle("same", one.dataset.by === one.previousSibling.dataset.by);
	const row = root.querySelector(".quick");
	if (row?.contains(root.activeElement)) field.focus();
	row?.remove();
	if (stuck) toEnd(); else jump.hidden = false;
}
function state(node, kind) {
	log.querySelector(".sent .state")?.remove();
	node.querySelector(".state")?.remove();
	node.classList.remove("sending", "failed");
	node.classList.add(kind);
	const line = make("div", { class: "state" }, words[kind]);
	if (kind === "failed") line.append(" ", make("button", {
		onclick() { state(node, "sending"); link.add(node.entry); } }, words.again));
	node.append(line);
}
function showMine(entry) {
	const node = bubble("me", words.you, entry.text, new Date(entry.at));
	node.entry = entry;
	mine.set(entry.id, node);
	put(node);
	state(node, "sending");
}
function post(text, button) {
	const id = [...crypto.getRandomValues(new Uint32Array(4))].join("-");
	const entry = { id, text, button, at: Date.now() };
	showMine(entry);
	toEnd();
	link.add(entry);
}
function submit() {
	const text = field.value.trim();
	if (go.disabled) return;
	field.value = "";
	fit();
	post(text);
	field.focus();
}
function quick(choices) {
	return make("div", { class: "quick" },
		...choices.map(({ title: text, id }) => make("button", { dir: "auto", onclick() { post(text, id); } }, text)));
}
function onMail(items) {
	for (const item of items) {
		if (order(item.place, place) <= 0) continue;
		place = item.place;
		const at = new Date(item.at);
		if (item.kind === "done") {
			busy.delete(item.message);
			if (item.author === "agent") { speaker.textContent = name; agentUntil = 0; }
		} else if (item.author === "customer") {
			const node = mine.get(item.message_id) || bubble("me", words.you, item.text, at);
			mine.set(item.message_id, node);
			node.placed = true;
			put(node);
			state(node, "sent");
			link.done(item.message_id);
			busy.set(item.message, +at);
		} else onSaid(item, at);
	}
	showTyping();
	markSeen();
}
function onSaid(item, at) {
	const agent = item.author === "agent";
	if (agent) { colleague = item.author_name || words.person; agentUntil = 0; }
	const who = speaker.textContent = agent ? say("team", colleague) : item.author_name || name;
	busy.delete(item.in_reply_to);
	const node = bubble(agent ? "agent" : "bot", who, item.text, at);
	put(node);
	if (item.buttons.length) node.append(quick(item.buttons));
	if (order(item.place, seen) > 0 && (!panel.open || document.hidden)) {
		badge.hidden = false;
		badge.textContent = ++unread;
		aside.textContent = say("fresh", who);
	}
}

/* The server's side: one message at a time, each until it is acknowledged */
const link = {
	queue: [], misses: 0, heldUntil: 0,

	start() {
		if (this.started) return;
		this.started = true;
		for (const entry of pending()) {
			showMine(entry);
			this.queue.push(entry);
		}
		this.connect();
	},
	add(entry) {
		this.start();
		this.queue.push(entry);
		store.set("pending", [...pending(), entry]);
		this.flush();
	},
	done(id) {
		if (this.flying?.id === id) this.flying = null;
		this.queue = this.queue.filter((one) => one.id !== id);
		store.set("pending", pending().filter((one) => one.id !== id));
		this.flush();
	},
	flush() {
		const entry = this.queue[0];
		if (!this.ready || this.flying || !entry || Date.now() < this.heldUntil) return;
		this.flying = entry;
		const { at, ...frame } = { ...entry, type: "send" };
		if (this.socket) this.socket.send(JSON.stringify(frame));
		else this.ask("send", frame).then((answer) => this.hear(answer), () => this.hold(2));
		setTimeout(() => { if (this.flying === entry) this.lose(); }, 2e4);
	},
	hold(seconds, why = "") {
		this.flying = null;
		this.heldUntil = Date.now() + seconds * 1000;
		tell(why);
		setTimeout(() => { tell(""); this.flush(); }, seconds * 1000 + 50);
	},
	hear(frame) { // the frames that the server says are the methods below
		this.heardAt = Date.now();
		this[frame.type]?.(frame);
	},
	mail({ items }) { onMail(items); },
	typing() {
		agentUntil = Date.now() + 6000;
		showTyping();
		setTimeout(showTyping, 6100);
	},
	ack({ id, message }) {
		const node = mine.get(id);
		if (!node.placed) { state(node, "sent"); busy.set(message, Date.now()); showTyping(); }
		this.done(id);
	},
	refused({ error: { code, after_s } }) {
		if (code === "rate_limited") this.hold(after_s, say("fast", Math.ceil(after_s)));
		else if (code === "bad_input" && this.flying) { state(mine.get(this.flying.id), "failed"); this.done(this.flying.id); }
		else if (code === "forbidden") this.lose();
		else this.hold(3);
	},
	hello(hello) {
		const stored = store.get("token");
		if (hello.new && stored && stored !== this.token) return !this.lose(); // another tab was faster
		if (hello.new && place) { // what is on screen is not mine
			place = "";
			busy.clear();
			for (const [id, node] of mine) if (node.placed) mine.delete(id);
			for (const node of log.querySelectorAll(".m")) if (node.placed) node.remove();
		}
		this.token = hello.token;
		if (stored !== hello.token) store.set("token", hello.token);
		({ name, limit } = hello);
		speaker.textContent ||= name;
	},
	synced() {
		this.ready = true;
		tell("");
		if (log.ariaLive === "off") {
			setTimeout(() => { log.ariaLive = "polite"; }, 500);
			const starters = option.starters?.split("|").map((text) => ({ title: text }));
			if (starters && !log.querySelector(".m")) log.append(quick(starters));
			toEnd();
		}
		this.flush();
	},
	connect() {
		this.token = store.get("token");
		setTimeout(() => { if (!this.ready) tell(navigator.onLine ? words.connecting : words.offline); }, 2000);
		if (this.misses % 2) return this.poll(); // sockets may be what does not get through
		const socket = this.socket = new WebSocket(base.replace("http", "ws") + "/ws");
		socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token: this.token, after: place }));
		socket.onmessage = (event) => { if (this.socket === socket) this.hear(JSON.parse(event.data)); };
		socket.onclose = () => { if (this.socket === socket) this.lose(); };
	},
	lose() {
		const { socket, ready, misses } = this;
		this.socket = this.flying = this.polling = null;
		this.ready = false;
		this.misses = ready ? 0 : misses + 1;
		socket?.close();
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.connect(), Math.min(3e4, 300 * 2 ** misses) * (0.7 + Math.random() * 0.6));
	},
	async ask(path, body) {
		const answer = await fetch(`${base}/${path}`, { method: "POST", credentials: "omit",
			headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...body, token: this.token }) });
		return answer.json();
	},
	async poll() {
		const turn = this.polling = {};
		try {
			for (let times = 20; times; times--) { // then see whether sockets work again
				const news = await this.ask("poll", { after: place, wait_s: this.ready ? 25 : 0 });
				const all = news.items.length < 100;
				if (this.polling !== turn || this.hello(news)) return;
				this.hear(news);
				if (news.typing) this.typing();
				if (!this.ready && all) this.synced();
			}
		} catch { /* connect again */ }
		if (this.polling === turn) this.lose();
	},
	again() { // do not wait for the next try
		tell("");
		if (this.started && !this.ready) { this.misses = -1; this.lose(); }
	},
};
setInterval(() => {
	if (!link.socket || !link.ready) return;
	if (Date.now() - link.heardAt > 6e4) link.lose();
	else link.socket.send('{"type":"ping"}');
}, 25e3);
addEventListener("online", () => link.again());
addEventListener("offline", () => tell(words.offline));
document.addEventListener("visibilitychange", () => { markSeen(); if (!document.hidden) link.again(); });
document.addEventListener("click", (event) => {
	if (event.target.closest?.('[data-frontdesk="open"]')) { event.preventDefault(); open(); }
});
window.visualViewport?.addEventListener("resize", () => {
	host.style.setProperty("--h", visualViewport.height + "px");
});
if (!document.body) await new Promise((ready) => addEventListener("DOMContentLoaded", ready));
document.body.append(host);
if (option.open === "true" || (phone.matches ? option.open === "phone" : store.get("open"))) open(true);
else if (store.get("token")) link.start();
})();
