"""What makes a page usable for everyone, asked of a page in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE = {"width": 1280, "height": 900}
ZOOMED = (640, 320)
"""What is left of 1280 pixels at 200 % and at 400 %."""

WORST = ("serious", "critical")
NOT_OURS = {
    # Links between the signs of the path are told from it by their colour alone.
    ("link-in-text-block", ".breadcrumbs"),
    # It is named, by a picture of a magnifying glass whose alternative text says "Search".
    ("label-title-only", "#searchbar"),
    # Django 6.1 names a file's field by the legend of a fieldset around it, which is no label.
    ("label", ".field-cover"),
    # Unfold has no label for the two halves of a date, and links that are too dark in the dark.
    ("label-title-only", ".vDateField, .vTimeField"),
    ("color-contrast", ".text-link"),
}
"""Rules of axe and the part of a page in which the admin itself breaks them."""

OUTSIDE = """() => {
    const root = document.scrollingElement;
    const name = one => one.tagName.toLowerCase() + (one.id ? `#${one.id}` : "") +
        [...one.classList].map(word => `.${word}`).join("");
    const found = [];
    if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} px wide`);
    // The nearest box around it that hides or scrolls what does not fit.
    const frame = one => {
        for (let box = one.parentElement; box !== document.body; box = box.parentElement) {
            const style = getComputedStyle(box);
            if (style.overflowX !== "visible" || style.clipPath !== "none") return box;
        }
        return null;
    };
    const speaks = one => [...one.childNodes].some(
        node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    for (const one of document.body.querySelectorAll("*")) {
        if (!one.checkVisibility({visibilityProperty: true}) || one.closest("svg *")) continue;
        const box = one.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) continue;
        const around = frame(one);
        if (!around) {
            // To the side of the first letter nobody can scroll, and the page gets no wider.
            const away = Math.max(-box.left, box.right - innerWidth);
            if (away > 1) found.push(`${name(one)} reaches ${Math.round(away)} px out of the page`);
        } else if (getComputedStyle(one).textOverflow === "ellipsis") {
            continue; // meant to be cut, and says so
        } else if (speaks(one) && /hidden|clip/.test(getComputedStyle(around).overflowX)) {
            const edge = around.getBoundingClientRect();
            // Its own words: a box wider than them cuts none, and what others hold is theirs.
            const range = document.createRange();
            const words = one.matches("textarea") ? [box] : [...one.childNodes]
                .filter(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
                .map(node => (range.selectNodeContents(node), range.getBoundingClientRect()))
                .filter(part => part.width); // a fallback, as in a meter, is not shown
            const cut = Math.max(0, ...words.map(
                part => Math.max(edge.left - part.left, part.right - edge.right)));
            if (edge.width > 2 && cut > 1)
                found.push(`${name(around)} cuts ${Math.round(cut)} px off ${name(one)}`);
        }
        if (one.matches("button, .ideogram-badge") && one.scrollWidth > one.clientWidth + 1)
            found.push(`the text of ${name(one)} is cut: ${one.textContent.trim()}`);
    }
    return found.slice(0, 6);
}"""

MIXED_UP = """() => {
    const found = [];
    const ours = ".app-ideogram_django #content :not(script, style, option, .paginator), " +
        ".ideogram-banner *, .ideogram-field *, .ideogram-dialog *";
    for (const one of document.querySelectorAll(ours)) {
        if (!one.checkVisibility({visibilityProperty: true})) continue;
        for (const node of one.childNodes) {
            const text = node.nodeType === Node.TEXT_NODE ? node.data.trim() : "";
            // English, from its first letter to the full stop; Arabic in it has its own order.
            if (!/[a-z].*[.:”)]$/i.test(text) || /[\u0600-\u06ff]/.test(text)) continue;
            const side = at => {
                const range = document.createRange();
                range.setStart(node, at);
                range.setEnd(node, at + 1);
                return range.getBoundingClientRect();
            };
            const end = node.data.trimEnd().length - 1;
            const [before, last] = [side(end - 1), side(end)];
            if (last.width && before.top === last.top && last.left < before.left)
                found.push(`out of order: ${text}`);
        }
    }
    return found.slice(0, 6);
}"""
"""English that reads out of order where the page runs from right to left."""

FOCUS = """() => {
    const name = one => `${one.tagName.toLowerCase()}[${one.name || one.id || one.className}]`;
    const look = one => {
        const style = getComputedStyle(one);
        return [style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
                style.borderWidth + style.borderStyle + style.textDecorationLine];
    };
    const found = [];
    const controls = ":is(main, dialog) :is(a[href], button, input, select, textarea, summary)";
    for (const one of document.querySelectorAll(controls)) {
        if (one.disabled || !one.checkVisibility({visibilityProperty: true})) continue;
        const [, before] = look(one);
        one.focus();
        if (document.activeElement !== one) continue;
        const [ring, after] = look(one);
        if (!ring && before === after && !(one.parentElement.matches(":focus-within") &&
            look(one.parentElement)[0])) found.push(`focus cannot be seen on ${name(one)}`);
    }
    return found.slice(0, 6);
}"""

CHOSEN = """() => {
    const look = one => {
        const style = getComputedStyle(one);
        return ["outlineStyle", "outlineWidth", "borderWidth", "borderStyle", "backgroundColor",
                "color", "fontWeight", "textDecorationLine"].map(what => style[what]).join();
    };
    const found = [];
    const differs = (one, less, more) => {
        const chosen = look(one);
        less();
        const plain = look(one);
        more();
        return chosen !== plain;
    };
    for (const one of document.querySelectorAll("[aria-pressed=true]"))
        if (one.checkVisibility() && !differs(one, () => one.setAttribute("aria-pressed", "false"),
                     () => one.setAttribute("aria-pressed", "true")))
            found.push(`that it is pressed cannot be seen on ${one.textContent.trim()}`);
    for (const one of document.querySelectorAll("main input:checked")) {
        const box = one.getBoundingClientRect();
        const style = getComputedStyle(one);
        const native = style.appearance !== "none" && style.opacity !== "0" && box.width > 5;
        const label = one.labels[0];
        if (!native && label && label.checkVisibility() && !differs(label,
                () => { one.checked = false; }, () => { one.checked = true; }))
            found.push(`that it is chosen cannot be seen on ${label.textContent.trim()}`);
    }
    return found.slice(0, 6);
}"""

MOVING = """() => [
    ...document.getAnimations()
        .filter(one => one instanceof CSSAnimation && one.playState === "running")
        .map(one => `${one.animationName} moves on ${one.effect.target.className}`),
    ...[...document.querySelectorAll("[class*=ideogram]")]
        .filter(one => {
            const {transitionDuration, transitionProperty} = getComputedStyle(one);
            const moves = /all|transform|inset|size/.test(transitionProperty);
            return moves && parseFloat(transitionDuration);
        })
        .map(one => `a transition moves ${one.className}`),
].slice(0, 6)"""

COVERED = """() => {
    const one = document.activeElement, bar = document.querySelector(".ideogram-submit");
    if (one === document.body || bar.contains(one)) return null;
    const mine = one.getBoundingClientRect(), its = bar.getBoundingClientRect();
    const free = mine.bottom <= its.top + 1 || mine.top >= its.bottom - 1;
    return free ? null : `${one.tagName.toLowerCase()}[${one.name || one.id || one.textContent}]`;
}"""
"""What has the focus, if the make form's buttons hide some of it."""

WITHIN = "([one, part]) => document.querySelector(one).closest(part) !== null"

STILL = """() => document.getAnimations().forEach(one => {
    if (one.effect.getComputedTiming().iterations === Infinity) one.cancel(); else one.finish();
})"""


def faults(page: Page, axe: Any) -> Iterator[tuple[str, str]]:
    """Everything that is wrong with this page, and for whom."""
    page.emulate_media(reduced_motion="reduce")
    yield from (("reduced motion", it) for it in page.evaluate(MOVING))
    page.evaluate(STILL)
    yield from (("axe, light", it) for it in violations(page, axe))
    page.emulate_media(color_scheme="dark")
    page.evaluate(STILL)
    # The page is the same, so that only its colours can be at fault.
    yield from (("axe, dark", it) for it in violations(page, axe, "color-contrast"))
    for width in ZOOMED:
        page.set_viewport_size({"width": width, "height": 900})
        yield from ((f"{width} px wide", it) for it in page.evaluate(OUTSIDE))
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light", forced_colors="active")
    page.keyboard.press("Tab")  # from here on the browser shows where the focus is
    yield from (("forced colours", it) for it in page.evaluate(FOCUS))
    yield from (("forced colours", it) for it in page.evaluate(CHOSEN))


def violations(page: Page, axe: Any, *rules: str, within: str = "body") -> list[str]:
    """What axe finds serious, of these rules or of all, in the parts of the page that match."""
    # With "preload" it reads stylesheets again, and breaks the page's policy in doing so.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    context = {"include": [[within]]}
    found = axe.run(page, context=context, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['target'][0]} {_short(node['failureSummary'])}"
        for violation in found
        if violation["impact"] in WORST
        for node in violation["nodes"]
        if not any(
            violation["id"] == rule and page.evaluate(WITHIN, [node["target"][0], part])
            for rule, part in NOT_OURS
        )
    ]


def _short(summary: str) -> str:
    return " ".join(summary.split())[:160]
