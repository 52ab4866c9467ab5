"use strict";
(() => {
  const SIGNS = { create: "+", update: "~", delete: "−" };
  const WORDS = { create: "created", update: "updated", delete: "deleted" };
  const UNDO = { none: "An undo can't take this back.", partly: "An undo takes this back in part only." };
  const PAGE = 50, LONG = 100, MOST_CELLS = 4e6;
  const get = (id) => document.getElementById(id);
  const parse = (id) => JSON.parse(get(id).textContent);
  const FIELDS = parse("fields"), STORES = parse("stores");

  const changes = [];
  for (const block of document.querySelectorAll("script[data-changes]")) {
    for (const change of JSON.parse(block.textContent)) changes.push(change);
    block.remove();
  }

  /** Makes an element; texts become text nodes, so nothing in a value is ever markup. */
  function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "onclick" || key === "ontoggle") made.addEventListener(key.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child != null && child !== ""));
    return made;
  }
  const sr = (text) => el("span", { class: "sr" }, text);
  const isText = (value) => typeof value === "string";
  const isPlain = (value) => value === null || typeof value !== "object";
  const isEmpty = (value) => value == null || value === "" || (Array.isArray(value) && !value.length);
  const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

  // --- values

  function shown(value, path) {
    if (isEmpty(value)) return el("span", { class: "none" }, "nothing");
    if (isText(value)) return text(value, path);
    if (isPlain(value)) return el("bdi", {}, String(value));
    if (Array.isArray(value)) return list(value, path);
    return parts(value, path);
  }

  function text(value, path) {
    if (isPicture(value, path)) return el("span", {}, el("bdi", {}, value), " ", picture(value));
    if (value.length <= 2 * LONG) return el("bdi", { dir: "auto" }, value);
    const start = el("bdi", { dir: "auto" }, value.slice(0, LONG) + "…");
    const rest = el("p", { class: "diff", dir: "auto" }, value);
    return el("details", {}, el("summary", {}, start, ` (${count(value.length, "character")})`), rest);
  }

  function list(value, path) {
    if (value.every(isPlain)) {
      return el("span", {}, ...value.map((item) => el("span", { class: "chip" }, el("bdi", {}, String(item)))));
    }
    return el("div", {}, ...value.map((item) => el("div", { class: "item" }, shown(item, path))));
  }

  function parts(value, path) {
    const rows = Object.entries(value).filter(([, item]) => !isEmpty(item));
    const cells = rows.flatMap(([name, item]) => [el("dt", {}, name), el("dd", {}, shown(item, `${path}.${name}`))]);
    return el("dl", { class: "parts" }, ...cells);
  }

  const isPicture = (value, path) =>
    /^https?:\/\//i.test(value) && (/^media\b|image|picture/i.test(path) || /\.(jpe?g|png|gif|webp|avif)(\?|$)/i.test(value));

  function picture(url) {
    const button = el("button", { type: "button", class: "picture", onclick: () => {
      const image = el("img", { src: url, alt: "The picture at this address", referrerpolicy: "no-referrer" });
      const figure = el("figure", {}, image);
      image.addEventListener("error", () =>
        figure.replaceChildren(el("span", { class: "none" }, "The picture can't be loaded. Is this device online?")));
      button.replaceWith(figure);
    } }, "Load picture");
    return button;
  }

  // --- differences

  const words = (value) => value.match(/<[^<>]*>|\s+|[^\s<]+|</g) || [];

  /** Returns [kind, text] pairs: 0 is in both, -1 in the old one only, 1 in the new one only. */
  function compare(before, after) {
    const old = words(before), now = words(after);
    let start = 0, end = 0;
    while (start < old.length && start < now.length && old[start] === now[start]) start++;
    while (end < old.length - start && end < now.length - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end++;
    const a = old.slice(start, old.length - end), b = now.slice(start, now.length - end);
    const middle = a.length * b.length > MOST_CELLS ? [[-1, a.join("")], [1, b.join("")]] : common(a, b);
    return [[0, old.slice(0, start).join("")], ...middle, [0, old.slice(old.length - end).join("")]];
  }

  function common(a, b) {
    const width = b.length + 1, longest = new Uint32Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
      }
    }
    const found = [];
    const put = (kind, word) => {
      if (found.length && found[found.length - 1][0] === kind) found[found.length - 1][1] += word;
      else found.push([kind, word]);
    };
    let i = 0, j = 0;
    while (i < a.length && j < b.length) {
      if (a[i] === b[j]) { put(0, a[i]); i++; j++; }
      else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) put(-1, a[i++]);
      else put(1, b[j++]);
    }
    while (i < a.length) put(-1, a[i++]);
    while (j < b.length) put(1, b[j++]);
    return found;
  }

  function textDiff(before, after) {
    const body = el("p", { class: "diff", dir: "auto" });
    const fill = () => {
      if (body.firstChild) return;
      for (const [kind, piece] of compare(before, after)) {
        if (piece) body.append(kind === 0 ? piece : el(kind < 0 ? "del" : "ins", {}, piece));
      }
    };
    const size = `${count(before.length, "character")} → ${after.length.toLocaleString("en")}`;
    return el("details", { ontoggle: fill }, el("summary", {}, `Text, ${size}`), body);
  }

  function listDiff(before, after) {
    const chip = (name, item, word) => el(name, { class: "chip" }, word ? sr(word) : "", el("bdi", {}, String(item)));
    const gone = before.filter((item) => !after.includes(item)).map((item) => chip("del", item, "taken out: "));
    const kept = after.map((item) => (before.includes(item) ? chip("span", item) : chip("ins", item, "added: ")));
    const moved = !gone.length && before.length === after.length ? [el("span", { class: "none" }, "in another order")] : [];
    return el("span", {}, ...gone, ...kept, ...moved);
  }

  function values(action, path, before, after) {
    const plainLists = [before, after].every((value) => Array.isArray(value) && value.length && value.every(isPlain));
    if (plainLists) return listDiff(before, after);
    if (isText(before) && isText(after) && Math.max(before.length, after.length) > LONG && before && after
      && !isPicture(after, path)) return textDiff(before, after);
    if (action !== "update") {
      const value = shown(action === "create" ? after : before, path);
      return el("div", { class: "values one" }, action === "create" ? el("ins", {}, value) : el("del", {}, value));
    }
    return el("div", { class: "values" },
      el("del", {}, sr("before: "), shown(before, path)),
      el("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      el("ins", {}, sr("after: "), shown(after, path)));
  }

  // --- one change

  const field = (change) => ([path, , before, after]) =>
    el("div", {}, el("dt", {}, el("bdi", {}, path)), el("dd", {}, values(change.a, path, before, after)));

  function fields(change) {
    const all = change.f || [], most = change.a === "update" ? 12 : 6;
    const made = [el("dl", { class: "fields" }, ...all.slice(0, most).map(field(change)))];
    if (all.length > most) {
      const rest = el("dl", { class: "fields" });
      const fill = () => rest.firstChild || rest.append(...all.slice(most).map(field(change)));
      made.push(el("details", { ontoggle: fill }, el("summary", {}, count(all.length - most, "more field")), rest));
    }
    return made;
  }

  function problem(change) {
    if (!change.o) return null;
    const [cause, message, remedy, status, request] = change.o;
    const details = [cause, status && `HTTP ${status}`, request && `request ${request}`].filter(Boolean).join(" · ");
    return el("div", { class: `problem ${change.s}` }, el("p", {}, message),
      remedy ? el("p", { class: "remedy" }, remedy) : null, details ? el("small", {}, details) : null);
  }

  function article(change) {
    const meta = [change.k, change.p === "core" ? "" : change.p, change.r ? `row ${change.r}` : "",
      STORES.length > 1 ? STORES[change.t] : ""].filter(Boolean).join(" · ");
    const hidden = change.h ? el("p", { class: "why" }, `${count(change.h, "field")} hidden`) : null;
    return el("article", { class: `change ${change.a}` },
      el("header", {},
        el("h3", {}, el("span", { "aria-hidden": "true" }, SIGNS[change.a] + " "), el("bdi", {}, change.l)),
        el("span", { class: "meta" }, sr(`${WORDS[change.a]}, `), meta),
        change.s === "planned" ? null : el("span", { class: `pill ${change.s}` }, change.s)),
      problem(change), ...fields(change), hidden,
      ...(change.w || []).map((why) => el("p", { class: "why" }, "because " + why)),
      UNDO[change.u] ? el("p", { class: "why" }, UNDO[change.u]) : null);
  }

  // --- filters and pages

  const FILTERS = {
    store: (change) => [change.t], kind: (change) => [change.k], action: (change) => [change.a],
    status: (change) => [change.s], field: (change) => new Set((change.f || []).map((entry) => entry[1])),
  };
  const NAMES = { store: (key) => STORES[key], field: (key) => FIELDS[key] };

  for (const [name, keys] of Object.entries(FILTERS)) {
    const counts = new Map();
    for (const change of changes) for (const key of keys(change)) counts.set(key, (counts.get(key) || 0) + 1);
    const title = NAMES[name] || String, select = get(`by-${name}`);
    if (!select) continue;
    const sorted = [...counts].sort((one, other) => (title(one[0]) < title(other[0]) ? -1 : 1));
    for (const [key, number] of sorted) select.append(el("option", { value: key }, `${title(key)} (${number.toLocaleString("en")})`));
    select.parentElement.hidden = counts.size < 2;
    select.addEventListener("change", filter);
  }

  function haystack(change) {
    if (change.x) return change.x;
    const fields = (change.f || []).map(([path, , before, after]) => [path, before, after]);
    change.x = JSON.stringify([change.l, fields, change.w, change.o]).toLowerCase();
    return change.x;
  }

  let matching = changes, page = 0, typing = 0;

  function clear() {
    for (const control of document.querySelectorAll(".filters input, .filters select")) control.value = "";
  }

  function filter() {
    const needle = JSON.stringify(get("by-text").value.trim().toLowerCase()).slice(1, -1);
    const chosen = Object.entries(FILTERS).map(([name, keys]) => [get(`by-${name}`)?.value || "", keys]).filter(([value]) => value);
    matching = changes.filter((change) =>
      chosen.every(([value, keys]) => [...keys(change)].some((key) => String(key) === value))
      && (!needle || haystack(change).includes(needle)));
    show(0);
  }

  function show(number) {
    page = number;
    const last = Math.max(0, Math.ceil(matching.length / PAGE) - 1), from = page * PAGE;
    get("changes-list").replaceChildren(...matching.slice(from, from + PAGE).map(article));
    const of = matching.length === changes.length ? "" : ` of ${changes.length.toLocaleString("en")}`;
    get("found").textContent = matching.length ? `${count(matching.length, "change")}${of}` : "No change fits. Choose less.";
    for (const nav of document.querySelectorAll(".pages")) {
      nav.hidden = last === 0;
      nav.querySelector("[data-where]").textContent = `Page ${page + 1} of ${last + 1}`;
      nav.querySelector("[data-step='-1']").disabled = page === 0;
      nav.querySelector("[data-step='1']").disabled = page === last;
    }
  }

  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      show(page + Number(button.dataset.step));
      get("changes").scrollIntoView();
    });
  }
  for (const link of document.querySelectorAll("[data-status]")) {
    link.addEventListener("click", () => { clear(); get("by-status").value = link.dataset.status; filter(); });
  }
  get("by-text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, 150); });
  get("clear").addEventListener("click", () => { clear(); filter(); });
  get("browser").hidden = false;
  show(0);
})();
