// The page: a list of passes, and what the chosen one did.

const MOST_DRAWN = 40;
const MOST_REMARKS = 200;
const MOST_NEARBY = 60;
const FEW_NEARBY = 8;

const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function bytesText(size) {
  let value = size, unit = 0;
  while (Math.abs(value) >= 999.95 && unit < 3) { value /= 1000; unit += 1; }
  return `${unit ? value.toFixed(1) : value} ${["B", "kB", "MB", "GB"][unit]}`;
}

const countText = (value) =>
  typeof value === "number" ? value.toLocaleString("en") : value ?? "?";
const signed = (value) => (value > 0 ? `+${countText(value)}` : `−${countText(-value)}`);
const farText = (value) => (typeof value !== "number" ? "not a number" : value === 0 ? "0" : value.toExponential(1));

class Page {
  constructor(held) {
    this.held = held;
    this.run = new Run(held.history);
    this.filter = { pass: "", operator: "", name: "" };
    this.shown = [];
    this.chosen = null; // null is the overview
    this.place = 0;
    this.zoom = null; // null lets drawings fit
    this.opener = null;
    this.compares = held.steps !== "passes";
    this.words();
    this.header();
    for (const name of this.run.operators()) byId("operator").append(make("option", { value: name }, name));
    this.listen();
    this.list();
    this.choose(null);
  }

  // Two models or runs compared have parts, not passes.
  words() {
    if (!this.compares) return;
    byId("pass").placeholder = "part";
    byId("pass").setAttribute("aria-label", "filter by part");
    byId("passes").setAttribute("aria-label", "parts: arrow keys move");
    byId("list").setAttribute("aria-label", "Parts");
    byId("idle").hidden = true;
  }

  header() {
    const { history } = this.held;
    byId("title").textContent = this.held.title;
    const first = history.passes[0]?.before, last = history.passes.at(-1)?.after;
    const figure = (name, key, format) => make("span", { class: "figure" }, `${name} `,
      make("b", {}, first[key] === last[key] ? format(first[key]) : `${format(first[key])} → ${format(last[key])}`));
    const figures = first ? [figure("nodes", "nodes", countText), figure("weights", "bytes", bytesText), figure("MACs", "macs", countText)] : [];
    const { verdict } = this.held;
    byId("figures").append(...figures, make("span", { class: "figure" }, make("b", {}, history.target)),
      verdict ? make("span", { id: "verdict", class: verdict.ok ? "figure" : "bad" }, verdict.ok ? "answers as before" : "ANSWERS DIFFER") : "");
  }

  listen() {
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("filter").addEventListener("input", () => {
      this.filter = {
        pass: byId("pass").value.trim().toLowerCase(),
        operator: byId("operator").value,
        name: byId("name").value.trim().toLowerCase(),
      };
      this.list();
    });
    byId("theme").addEventListener("click", () => {
      const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
      document.documentElement.dataset.theme = dark ? "light" : "dark";
    });
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.key === "Escape") { this.close(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const acts = {
      "/": () => byId("name").focus(),
      "[": () => this.go(-1), "]": () => this.go(1),
      "-": () => this.zoomBy(0.8), "+": () => this.zoomBy(1.25), 0: () => this.zoomBy(null),
    };
    const steps = { ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1, Home: -Infinity, End: Infinity };
    if (Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      acts[event.key]();
    } else if (Object.hasOwn(steps, event.key) && !byId("details").contains(event.target)) {
      event.preventDefault();
      this.move(steps[event.key]);
    }
  }

  // Choose a pass further down or up the list; one that the filter hides counts where it would stand.
  move(step) {
    const order = [null, ...this.shown];
    let at = order.indexOf(this.chosen);
    if (at < 0) {
      const next = order.findIndex((pass) => pass && pass.index > this.chosen.index);
      at = (next < 0 ? order.length : next) - (step > 0 ? 1 : 0);
    }
    const to = Math.max(0, Math.min(order.length - 1, at + step));
    if (order[to] !== this.chosen) this.choose(order[to]);
  }

  // --- the list

  list() {
    const { passes } = this.run;
    this.shown = passes.filter((pass) => (pass.hunks.length > 0 || byId("all").checked) && this.run.concerns(pass, this.filter));
    const overview = make("li", { role: "option", id: "pass-overview", onclick: () => this.choose(null) }, make("b", {}, "Overview"));
    byId("passes").replaceChildren(overview, ...this.shown.map((pass) => this.item(pass)));
    byId("count").textContent = `${this.shown.length} of ${passes.length} ${this.held.steps}`;
    this.mark();
  }

  item(pass) {
    const change = (key) => {
      const was = pass.before?.[key], now = pass.after?.[key];
      return typeof was === "number" && typeof now === "number" ? now - was : 0;
    };
    const nodes = change("nodes"), bytes = change("bytes"), macs = change("macs");
    const seconds = this.held.seconds?.[pass.index];
    const far = this.run.distances.get(pass.index);
    const bits = [
      nodes ? `${signed(nodes)} nodes` : null,
      bytes ? `${bytes > 0 ? "+" : "−"}${bytesText(Math.abs(bytes))}` : null,
      macs ? `${signed(macs)} MACs` : null,
      seconds === undefined ? null : `${(1000 * seconds).toFixed(1)} ms`,
    ].filter(Boolean).map((text) => make("span", {}, text));
    if (far) bits.push(make("span", { class: far.ok ? null : "bad" }, `off by ${farText(far.max_abs)}`));
    return make("li", { role: "option", id: `pass-${pass.index}`, class: pass.hunks.length ? null : "idle", onclick: () => this.choose(pass) },
      make("div", { class: "row" },
        make("span", {}, `${pass.index} `, make("b", {}, pass.name), pass.round > 1 ? ` (round ${pass.round})` : ""),
        pass.exactness ? make("span", { class: "badge" }, pass.exactness) : null),
      make("div", { class: "numbers" }, ...bits));
  }

  mark() {
    const id = this.chosen ? `pass-${this.chosen.index}` : "pass-overview";
    for (const item of byId("passes").children) item.setAttribute("aria-selected", item.id === id);
    if (byId(id)) byId("passes").setAttribute("aria-activedescendant", id);
    else byId("passes").removeAttribute("aria-activedescendant");
    byId(id)?.scrollIntoView({ block: "nearest" });
  }

  choose(pass) {
    this.chosen = pass;
    this.place = 0;
    this.places = [];
    this.mark();
    byId("main").replaceChildren(...(pass ? this.passView(pass) : this.overview()));
    if (this.places.length) this.draw();
    byId("main").scrollTop = 0;
  }

  // --- one pass

  passView(pass) {
    const position = this.run.passes.indexOf(pass);
    this.before = this.run.state(position);
    this.after = this.run.state(position + 1);
    this.places = places(this.run, pass);
    const parts = [make("h2", {}, pass.spec)];
    const about = this.held.summaries?.[pass.name];
    if (about) parts.push(make("p", { class: "note" }, about));
    const distances = this.run.distancesAfter(pass);
    if (distances.length) parts.push(make("h3", {}, "Distance from the source's answers after it"), this.distances(distances));
    if (this.places.length) parts.push(make("h3", {}, "What changed, drawn"), this.drawings());
    if (!pass.hunks.length) parts.push(make("p", { class: "note" }, "It changed nothing."));
    else parts.push(make("h3", {}, "Before and after"), sidesTable(this.run.lines, pass.hunks, (line) => this.details(line)));
    if (pass.remarks.length) parts.push(make("h3", {}, "Remarks"), this.remarks(pass));
    return parts;
  }

  distances(rows) {
    const cells = (tag, ...texts) => texts.map((text) => make(tag, {}, text));
    return make("table", { class: "distances" },
      make("thead", {}, make("tr", {}, ...cells("th", "output", "largest difference", "largest relative difference", "within the promise"))),
      make("tbody", {}, ...rows.map((row) => make("tr", { class: row.ok ? null : "bad" },
        ...cells("td", row.output, farText(row.max_abs), farText(row.max_rel), row.ok ? "yes" : "NO")))));
  }

  // The drawings, with what chooses the place and the size.
  drawings() {
    const button = (text, name, act) => make("button", { type: "button", onclick: act, "aria-label": name, title: name }, text);
    const many = this.places.length > 1;
    const chooser = make("div", { class: "chooser" },
      many ? button("‹", "previous place ( [ )", () => this.go(-1)) : null,
      make("span", { id: "place", "aria-live": "polite" }),
      many ? button("›", "next place ( ] )", () => this.go(1)) : null,
      make("span", { class: "end" }),
      button("−", "smaller ( - )", () => this.zoomBy(0.8)),
      button("fit", "fit ( 0 )", () => this.zoomBy(null)),
      button("+", "larger ( + )", () => this.zoomBy(1.25)));
    return make("div", { id: "pictures" }, chooser, make("div", { class: "pictures" }), make("div", { id: "nearby" }));
  }

  go(step) {
    if (this.places.length < 2) return;
    this.place = (this.place + step + this.places.length) % this.places.length;
    this.draw();
  }

  // Draw larger or smaller; null lets the drawing fit again.
  zoomBy(factor) {
    this.zoom = factor === null ? null : Math.min(4, Math.max(0.1, (this.zoom ?? this.scale()) * factor));
    this.applyZoom();
  }

  scale() {
    const drawn = document.querySelector("svg.graph");
    return drawn && drawn.viewBox.baseVal.width ? drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width : 1;
  }

  applyZoom() {
    for (const drawn of document.querySelectorAll("svg.graph"))
      drawn.style.width = this.zoom === null ? "" : `${this.zoom * drawn.viewBox.baseVal.width}px`;
  }

  // Draw the chosen place.
  draw() {
    const place = this.places[this.place];
    const { lines } = this.run;
    const drawn = new Set();
    const side = (state, numbers, kind, caption) => {
      const changed = new Set(numbers);
      const picture = state.around(numbers, place.scope, MOST_DRAWN);
      for (const number of picture.nodes) drawn.add(number);
      const left = picture.left ? `, ${picture.left} of ${numbers.length} changed nodes not drawn` : "";
      return make("figure", { "aria-label": caption }, make("figcaption", {}, caption + left),
        picture.nodes.length ? drawGraph(lines, picture, (number) => (changed.has(number) ? kind : ""), (line) => this.details(line))
          : make("p", { class: "note" }, "no node here"));
    };
    const around = place.before.length ? place.before : place.after.flatMap((number) => lines[number].inputs)
      .map((name) => this.before.maker(place.scope, name)).filter((number) => number !== undefined);
    const left = place.after.length ? place.after : place.before.flatMap((number) => lines[number].outputs)
      .filter(Boolean).flatMap((name) => this.after.readers(place.scope, name));
    const before = side(this.before, [...new Set(around)], place.before.length ? "gone" : "", "before");
    const after = side(this.after, [...new Set(left)], place.after.length ? "came" : "", "after");
    const inside = place.scope === "model" || place.scope === "nodes" ? "" : `, in ${place.scope}`;
    byId("place").textContent = this.places.length > 1 ? `place ${this.place + 1} of ${this.places.length}${inside}` : inside.slice(2);
    document.querySelector("#pictures .pictures").replaceChildren(before, after);
    this.applyZoom();
    for (const figure of [before, after]) center(figure);
    byId("nearby").replaceChildren(...this.nearby([...drawn].map((number) => lines[number])));
  }

  // What this pass says of the nodes drawn, and what others say that is in their way there.
  nearby(lines) {
    const said = this.run.remarksAt(lines)
      .filter(({ pass, remark }) => pass === this.chosen || remark.kind !== "applied");
    if (!said.length) return [];
    const items = said.slice(0, MOST_NEARBY).map(({ pass, remark, where }) => make("li", {},
      pass === this.chosen ? null : this.link(pass), pass === this.chosen ? null : ": ",
      make("b", {}, remark.kind), ` at ${where}`, ruleText(remark, pass), remark.why ? `: ${remark.why}` : ""));
    if (said.length > MOST_NEARBY) items.push(make("li", { class: "note" }, `and ${said.length - MOST_NEARBY} more`));
    return [make("details", { open: said.length <= FEW_NEARBY }, make("summary", {}, `Remarks at these nodes (${said.length})`), make("ul", { class: "remarks" }, ...items))];
  }

  link(pass) {
    return make("a", { href: "#", onclick: (event) => { event.preventDefault(); this.show(pass); } }, `${pass.index} ${pass.name}`);
  }

  remarks(pass) {
    const shown = pass.remarks.slice(0, MOST_REMARKS).map((remark) => make("li", {},
      make("b", {}, remark.kind), ruleText(remark, pass), remark.why ? `: ${remark.why}` : "",
      make("span", { class: "note" }, ` at ${remark.where.slice(0, 12).join(", ")}${remark.where.length > 12 ? ` and ${remark.where.length - 12} more` : ""}`)));
    const left = pass.remarks.length - shown.length;
    if (left > 0) shown.push(make("li", { class: "note" }, `and ${countText(left)} more reasons; burnish explain MODEL ${pass.name} --all`));
    return make("ul", { class: "remarks" }, ...shown);
  }

  // --- a node

  details(line) {
    const events = this.run.story(line).map(({ pass, kind, text }) => make("li", {}, this.link(pass), `: ${kind}`, text ? ` ${text}` : ""));
    const entry = (name, ...held) => [make("dt", {}, name), make("dd", {}, ...held)];
    const sources = line.sources.length ? line.sources : [`it is a node of the source: ${line.label}`];
    const close = make("button", { type: "button", onclick: () => this.close() }, "close");
    if (!byId("details").contains(document.activeElement)) this.opener = document.activeElement;
    byId("details").replaceChildren(
      close,
      make("h2", {}, `${line.op} `, make("small", {}, line.label)),
      make("code", {}, line.text),
      make("dl", {}, ...(this.compares ? [] : entry("made from", make("span", { id: "sources" }, sources.join(", ")))),
        ...entry("reads", line.inputs.filter(Boolean).join(", ") || "nothing"),
        ...entry("makes", line.outputs.filter(Boolean).join(", "))),
      make("h3", {}, this.compares ? "Where it differs" : "Passes and remarks"),
      events.length ? make("ul", { class: "remarks" }, ...events)
        : make("p", { class: "note" }, this.compares ? "it is the same in both" : "no pass touched it or spoke of it"));
    byId("details").hidden = false;
    byId("details").scrollTop = 0;
    close.focus();
  }

  // Close the details; the focus goes back to where they were opened.
  close() {
    if (byId("details").hidden) return;
    byId("details").hidden = true;
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
    else byId("passes").focus({ preventScroll: true });
  }

  show(pass) {
    if (!this.shown.includes(pass)) {
      byId("filter").reset();
      byId("all").checked = !pass.hunks.length;
      this.filter = { pass: "", operator: "", name: "" };
      this.list();
    }
    this.choose(pass);
  }

  // --- all passes

  overview() {
    const { history } = this.held;
    const changed = this.run.changed();
    if (!changed.length) return [make("h2", {}, this.compares ? "No difference." : "No pass changed anything.")];
    const cascade = (title, key, format) => {
      const moving = changed.filter((pass) => pass.before[key] !== pass.after[key]);
      const steps = moving.map((pass) => ({
        label: `${pass.index} ${pass.name}`, before: pass.before[key], after: pass.after[key], choose: () => this.show(pass),
      }));
      const total = (label, value) => ({ label, before: 0, after: value, total: true });
      return drawWaterfall(title, [total(this.compares ? "before" : "source", changed[0].before[key]), ...steps, total(this.compares ? "after" : "result", changed.at(-1).after[key])], format);
    };
    const start = this.run.state(0).histogram(), end = this.run.state(this.run.passes.length).histogram();
    return [
      make("h2", {}, "Overview"),
      ...(changed[0].before ? [
        cascade("Nodes, step by step", "nodes", countText),
        cascade("Bytes of weights, step by step", "bytes", bytesText),
      ] : []),
      ...(start.size + end.size ? [drawHistogram(start, end)] : []),
      ...(history.pipeline ? [make("h3", {}, "Pipeline"), make("p", { class: "note" }, history.pipeline)] : []),
    ];
  }
}

const ruleText = (remark, pass) => (remark.rule === pass.name ? "" : ` ${remark.rule}`);

// Scroll a figure to the first node that changed.
function center(figure) {
  const node = figure.querySelector(".node.gone, .node.came");
  if (!node) return;
  const [at, frame] = [node.getBoundingClientRect(), figure.getBoundingClientRect()];
  figure.scrollLeft += at.left + at.width / 2 - frame.left - frame.width / 2;
  figure.scrollTop += at.top + at.height / 2 - frame.top - frame.height / 2;
}

window.page = new Page(JSON.parse(byId("data").textContent));
