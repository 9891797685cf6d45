// Lines before and after side by side, with what differs in them marked.

const MOST_LINES = 400;
// Words of two lines are compared one with each up to so many pairs; longer ones at both ends only.
const MOST_WORD_PAIRS = 4000000;

// What a line defines: lines that define the same stand side by side.
function defined(line) {
  return line.outputs?.[0] ?? line.name ?? line.text.replace(/[\d.]+$/, "");
}

// The hunks of a pass as a table; more lines on demand. `choose(line)` is called for a node.
function sidesTable(lines, hunks, choose) {
  const table = make("table", { class: "sides" }, make("tbody"));
  const rows = hunks.flatMap((hunk) => [{ scope: hunk.scope }, ...sideBySide(lines, hunk.lines)]);
  const more = make("button", { type: "button" });
  let written = 0;
  const write = () => {
    const chunk = rows.slice(written, written + MOST_LINES);
    table.tBodies[0].append(...chunk.map((row) => sidesRow(lines, row, choose)));
    written += chunk.length;
    more.textContent = `show ${Math.min(MOST_LINES, rows.length - written)} more of ${rows.length - written} lines`;
    more.hidden = written >= rows.length;
  };
  more.addEventListener("click", write);
  write();
  return make("div", {}, table, more);
}

// What went beside what came, unchanged lines on both sides.
function sideBySide(lines, signed) {
  const rows = [];
  let gone = [], came = [];
  const flush = () => {
    const waiting = new Map();
    for (const number of gone) {
      const name = defined(lines[number]);
      if (waiting.has(name)) waiting.get(name).push(number);
      else waiting.set(name, [number]);
    }
    const taken = new Set();
    const pairs = came.map((number) => {
      const was = waiting.get(defined(lines[number]))?.shift();
      taken.add(was);
      return [was, number];
    });
    const left = gone.filter((number) => !taken.has(number));
    for (const pair of pairs) if (pair[0] === undefined && left.length) pair[0] = left.shift();
    rows.push(...pairs, ...left.map((number) => [number, undefined]));
    gone = [];
    came = [];
  };
  for (const [sign, number] of signed) {
    if (sign === "-") gone.push(number);
    else if (sign === "+") came.push(number);
    else {
      flush();
      rows.push([number, number, true]);
    }
  }
  flush();
  return rows;
}

function sidesRow(lines, row, choose) {
  if (row.scope !== undefined) return make("tr", { class: "scope" }, make("td", { colspan: 2 }, row.scope));
  const [was, now, same] = row;
  const paired = !same && was !== undefined && now !== undefined && defined(lines[was]) === defined(lines[now]);
  const marked = paired ? differences(lines[was].text, lines[now].text) : null;
  const cell = (number, kind, parts) => {
    if (number === undefined) return make("td");
    const line = lines[number];
    const found = make("td", { class: same ? null : kind, "data-line": line.op ? number : null, tabindex: line.op ? 0 : null }, ...(parts ?? [line.text]));
    if (line.op) pressable(found, () => choose(line));
    return found;
  };
  return make("tr", {}, cell(was, "gone", marked?.[0]), cell(now, "came", marked?.[1]));
}

// Two texts in pieces, those marked that the other has not.
function differences(before, after) {
  const words = [before, after].map((text) => text.match(/[\p{L}\p{N}_]+|\s+|[^]/gu) ?? []);
  const [one, other] = words;
  let start = 0;
  while (start < Math.min(one.length, other.length) && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const inner = words.map((each) => each.slice(start, each.length - end));
  const kept = commonWords(...inner);
  return words.map((each, side) => [
    each.slice(0, start).join(""), ...runs(inner[side], kept[side]), each.slice(each.length - end).join(""),
  ]);
}

// Text and marked text, in turn.
function runs(words, kept) {
  const found = [];
  let from = 0;
  for (let at = 1; at <= words.length; at += 1) {
    if (at < words.length && kept.has(at) === kept.has(from)) continue;
    const text = words.slice(from, at).join("");
    found.push(kept.has(from) ? text : make("mark", {}, text));
    from = at;
  }
  return found;
}

// Which words of each are in a longest common subsequence; none where that would take too long.
function commonWords(one, other) {
  const kept = [new Set(), new Set()];
  if (one.length * other.length > MOST_WORD_PAIRS) return kept;
  const wide = other.length + 1;
  const longest = new Uint32Array((one.length + 1) * wide);
  for (let i = one.length - 1; i >= 0; i -= 1)
    for (let j = other.length - 1; j >= 0; j -= 1)
      longest[i * wide + j] = one[i] === other[j]
        ? longest[(i + 1) * wide + j + 1] + 1
        : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    if (one[i] === other[j]) {
      kept[0].add(i);
      kept[1].add(j);
      i += 1;
      j += 1;
    } else if (longest[(i + 1) * wide + j] >= longest[i * wide + j + 1]) i += 1;
    else j += 1;
  }
  return kept;
}
