// The page: a list of passes, and what the chosen one did.

const MOST_LINES = 400;
const MOST_DRAWN = 40;

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
const farText = (value) => (value === null ? "not a number" : value === 0 ? "0" : value.toExponential(1));

class Page {
  constructor(held) {
    this.held = held;
    this.run = new Run(held.history);
    this.filter = { pass: "", operator: "", name: "" };
    this.shown = [];
    this.chosen = null; // null is the overview
    this.place = 0;
    this.header();
    for (const name of this.run.operators()) byId("operator").append(make("option", { value: name }, name));
    this.listen();
    this.list();
    this.choose(null);
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
    if (event.key === "Escape") { byId("details").hidden = true; document.activeElement?.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const steps = { ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1 };
    if (event.key === "/") { event.preventDefault(); byId("name").focus(); return; }
    if (event.key in steps) {
      event.preventDefault();
      const order = [null, ...this.shown];
      const at = order.indexOf(this.chosen) + steps[event.key];
      if (at >= 0 && at < order.length) this.choose(order[at]);
    }
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
    byId("passes").setAttribute("aria-activedescendant", id);
    byId(id)?.scrollIntoView({ block: "nearest" });
  }

  choose(pass) {
    this.chosen = pass;
    this.place = 0;
    this.mark();
    byId("main").replaceChildren(...(pass ? this.passView(pass) : this.overview()));
    byId("main").scrollTop = 0;
  }

  // --- one pass

  passView(pass) {
    const position = this.run.passes.indexOf(pass);
    this.before = this.run.state(position);
    this.after = this.run.state(position + 1);
    this.places = places(this.run, pass);
    const pictures = make("div", { id: "pictures" });
    const parts = [make("h2", {}, pass.spec)];
    const about = this.held.summaries?.[pass.name];
    if (about) parts.push(make("p", { class: "note" }, about));
    if (!pass.hunks.length) parts.push(make("p", { class: "note" }, "It changed nothing."));
    else parts.push(make("h3", {}, "Before and after"), this.sides(pass));
    if (this.places.length) parts.push(make("h3", {}, "What changed, drawn"), pictures);
    if (pass.remarks.length) parts.push(make("h3", {}, "Remarks"), this.remarks(pass));
    if (this.places.length) this.draw(pictures);
    return parts;
  }

  sides(pass) {
    const table = make("table", { class: "sides" }, make("tbody"));
    const rows = pass.hunks.flatMap((hunk) => [{ scope: hunk.scope }, ...this.pair(hunk.lines)]);
    const more = make("button", { type: "button" });
    let written = 0;
    const write = () => {
      const chunk = rows.slice(written, written + MOST_LINES);
      table.tBodies[0].append(...chunk.map((row) => this.row(row)));
      written += chunk.length;
      more.textContent = `show ${Math.min(MOST_LINES, rows.length - written)} more of ${rows.length - written} lines`;
      more.hidden = written >= rows.length;
    };
    more.addEventListener("click", write);
    write();
    return make("div", {}, table, more);
  }

  // Lines side by side: what went beside what came, unchanged lines on both sides.
  pair(lines) {
    const rows = [];
    let gone = [], came = [];
    const flush = () => {
      const left = [...gone];
      const pairs = came.map((number) => {
        const name = this.name(number);
        const at = left.findIndex((other) => other !== undefined && this.name(other) === name);
        return [at >= 0 ? left.splice(at, 1)[0] : undefined, number];
      });
      while (left.length) {
        const free = pairs.find(([was]) => was === undefined);
        if (free) free[0] = left.shift();
        else pairs.push([left.shift(), undefined]);
      }
      rows.push(...pairs);
      gone = [];
      came = [];
    };
    for (const [sign, number] of lines) {
      if (sign === "-") gone.push(number);
      else if (sign === "+") came.push(number);
      else { flush(); rows.push([number, number, true]); }
    }
    flush();
    return rows;
  }

  name(number) {
    const line = this.run.lines[number];
    return line.outputs?.[0] ?? line.name ?? line.text.replace(/[\d.]+$/, "");
  }

  row(row) {
    if (row.scope !== undefined) return make("tr", { class: "scope" }, make("td", { colspan: 2 }, row.scope));
    const [was, now, same] = row;
    const cell = (number, other, kind) => {
      if (number === undefined) return make("td");
      const line = this.run.lines[number];
      const whole = same || other === undefined || this.name(number) !== this.name(other);
      return make("td", { class: same ? null : kind, "data-line": line.op ? number : null, onclick: line.op ? () => this.details(line) : () => {} },
        ...(whole ? [line.text] : difference(line.text, this.run.lines[other].text)));
    };
    return make("tr", {}, cell(was, now, "gone"), cell(now, was, "came"));
  }

  draw(box) {
    const place = this.places[this.place];
    const side = (state, numbers, kind, caption) => {
      const changed = new Set(numbers);
      const picture = state.around(numbers, place.scope, MOST_DRAWN);
      const left = picture.left ? `, ${picture.left} of ${numbers.length} changed nodes not drawn` : "";
      return make("figure", {}, make("figcaption", {}, caption + left),
        drawGraph(this.run.lines, picture, (number) => (changed.has(number) ? kind : ""), (line) => this.details(line)));
    };
    const around = place.before.length ? place.before : place.after.flatMap((number) => this.run.lines[number].inputs)
      .map((name) => this.before.producers.get(space(place.scope) + name)).filter((number) => number !== undefined);
    const left = place.after.length ? place.after : place.before.flatMap((number) => this.run.lines[number].outputs)
      .flatMap((name) => this.after.readers.get(space(place.scope) + name) ?? []);
    const go = (step) => () => {
      this.place = (this.place + step + this.places.length) % this.places.length;
      this.draw(box);
    };
    const chooser = this.places.length > 1 ? make("div", { class: "chooser" },
      make("button", { type: "button", onclick: go(-1), "aria-label": "previous place" }, "‹"),
      make("span", { id: "place" }, `place ${this.place + 1} of ${this.places.length}`),
      make("button", { type: "button", onclick: go(1), "aria-label": "next place" }, "›")) : "";
    const before = side(this.before, place.before.length ? place.before : around, place.before.length ? "gone" : "", "before");
    const after = side(this.after, place.after.length ? place.after : left, place.after.length ? "came" : "", "after");
    box.replaceChildren(chooser, make("div", { class: "pictures" }, before, after));
  }

  remarks(pass) {
    const shown = pass.remarks.slice(0, 200).map((remark) => make("li", {},
      make("b", {}, remark.kind), remark.rule === pass.name ? "" : ` ${remark.rule}`, remark.why ? `: ${remark.why}` : "",
      make("span", { class: "note" }, ` at ${remark.where.slice(0, 12).join(", ")}${remark.where.length > 12 ? ` and ${remark.where.length - 12} more` : ""}`)));
    return make("ul", { class: "remarks" }, ...shown);
  }

  // --- a node

  details(line) {
    const events = this.run.story(line).map(({ pass, kind, text }) => make("li", {},
      make("a", { href: "#", onclick: (event) => { event.preventDefault(); this.show(pass); } }, `${pass.index} ${pass.name}`), `: ${kind}`, text ? ` ${text}` : ""));
    const entry = (name, ...held) => [make("dt", {}, name), make("dd", {}, ...held)];
    const sources = line.sources.length ? line.sources : [`it is a node of the source: ${line.label}`];
    byId("details").replaceChildren(
      make("button", { type: "button", onclick: () => { byId("details").hidden = true; } }, "close"),
      make("h2", {}, `${line.op} `, make("small", {}, line.label)),
      make("code", {}, line.text),
      make("dl", {}, ...entry("made from", make("span", { id: "sources" }, sources.join(", "))),
        ...entry("reads", line.inputs.filter(Boolean).join(", ") || "nothing"),
        ...entry("makes", line.outputs.filter(Boolean).join(", "))),
      make("h3", {}, "Passes and remarks"),
      events.length ? make("ul", { class: "remarks" }, ...events) : make("p", { class: "note" }, "no pass touched it or spoke of it"));
    byId("details").hidden = false;
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
    if (!changed.length) return [make("h2", {}, "No pass changed anything.")];
    const cascade = (title, key, format) => {
      const moving = changed.filter((pass) => pass.before[key] !== pass.after[key]);
      const steps = moving.map((pass) => ({
        label: `${pass.index} ${pass.name}`, before: pass.before[key], after: pass.after[key], choose: () => this.show(pass),
      }));
      const total = (label, value) => ({ label, before: 0, after: value, total: true });
      return drawWaterfall(title, [total("source", changed[0].before[key]), ...steps, total("result", changed.at(-1).after[key])], format);
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

// A text with what differs from another marked: all between their common start and end.
function difference(text, other) {
  let start = 0;
  while (start < text.length && text[start] === other[start]) start += 1;
  let end = 0;
  while (end < Math.min(text.length, other.length) - start && text.at(-1 - end) === other.at(-1 - end)) end += 1;
  return [text.slice(0, start), make("mark", {}, text.slice(start, text.length - end)), text.slice(text.length - end)];
}

window.page = new Page(JSON.parse(byId("data").textContent));
