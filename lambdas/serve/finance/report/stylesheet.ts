import { Html } from './html';

/** The report's look: one column on a phone, tables on anything wider, dark where the reader's system is. */
export const stylesheet = new Html(`
:root { --ink: #1b1f24; --soft: #59636e; --paper: #fff; --raised: #f6f8fa; --line: #d8dee4; --accent: #0757ad; --good: #11632a; --good-paper: #e4f6e8; --bad: #a40e26; --bad-paper: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4af; --paper: #0e1116; --raised: #171b21; --line: #30363d; --accent: #7ab7ff; --good: #7ee293; --good-paper: #12261a; --bad: #ff9d94; --bad-paper: #341a1c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 3rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; letter-spacing: -.02em; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.2rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 70ch; }
a { color: var(--accent); }
.eyebrow { margin: 0; font-size: .8rem; text-transform: uppercase; letter-spacing: .08em; }
.period { font-weight: 400; color: var(--soft); }
.status { display: inline-block; margin: 1rem 0; padding: .5rem .9rem; border-radius: .5rem; max-width: none; }
.status strong { margin-right: .5rem; }
.status.good { background: var(--good-paper); color: var(--good); }
.status.bad { background: var(--bad-paper); color: var(--bad); }
td.bad { color: var(--bad); font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: 0; }
.facts div { padding: .75rem 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; }
.facts dt { color: var(--soft); font-size: .8rem; }
.facts dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-size: .8rem; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; }
td.number { white-space: nowrap; }
.none { color: var(--soft); opacity: .6; }
td small, th small { display: block; color: var(--soft); font-weight: 400; }
.currency { color: var(--soft); font-size: .8em; font-weight: 400; }
.amounts > span { display: block; }
.empty { padding: 1rem; background: var(--raised); border-radius: .5rem; }
details { margin: .5rem 0; border: 1px solid var(--line); border-radius: .5rem; }
details > p { margin: 0 1rem .5rem; }
summary { padding: .7rem 1rem; cursor: pointer; font-weight: 600; }
.badge { margin-left: .4rem; padding: .05rem .55rem; border-radius: 1rem; background: var(--raised); border: 1px solid var(--line); font-weight: 400; font-size: .85em; }
article { padding: .9rem 1rem; border-top: 1px solid var(--line); }
article h3 { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; margin: 0 0 .5rem; font-size: .95rem; font-weight: 400; color: var(--soft); }
.difference { font-size: 1.05rem; font-weight: 600; color: var(--ink); }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
.sides > div { padding: .6rem .8rem; background: var(--raised); border-radius: .4rem; }
h4 { margin: 0 0 .25rem; font-size: .8rem; color: var(--soft); }
.sides dl { margin: 0; }
.sides dl div { display: grid; grid-template-columns: 7rem 1fr; gap: .5rem; }
.sides dt { color: var(--soft); }
.sides dd { margin: 0; }
.absent { margin: 0; font-style: italic; }
.foot { margin: .5rem 0 0; font-size: .85rem; max-width: none; }
.open { color: var(--bad); font-weight: 600; }
.resolved { color: var(--good); }
code { font: .9em ui-monospace, monospace; }
.id { opacity: .8; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
@media (max-width: 48rem) {
  .stacks, .stacks tbody, .stacks tr, .stacks th, .stacks td { display: block; }
  .stacks thead { display: none; }
  .stacks tr { margin: .75rem 0; padding: .6rem .9rem; border: 1px solid var(--line); border-radius: .5rem; }
  .stacks th, .stacks td { padding: .2rem 0; border: 0; }
  .stacks td { display: flex; flex-wrap: wrap; justify-content: space-between; column-gap: 1rem; text-align: right; }
  .stacks td::before { content: attr(data-label); color: var(--soft); text-align: left; white-space: nowrap; }
  .stacks td.none { display: none; }
  .stacks td small { flex-basis: 100%; }
  .sides { grid-template-columns: 1fr; }
}
@media print { details { break-inside: avoid; } }
`);
