/*
 * Pictures that bring themselves up to date, and the make form's small helps.
 * Every page works without this file, by loading it again.
 *
 * What markup it looks for (all of it optional):
 *
 *   [data-ideogram-status-url="…"]     an ancestor that says where to ask; [data-ideogram-token]
 *                                      on it is sent along as "token"
 *     [data-ideogram-image="<uuid>"][data-ideogram-status="<status>"]
 *                                      one picture; asked about until its status is a final one;
 *                                      [data-ideogram-name] on it is what is read out
 *       [data-ideogram-label]          text: the status in words
 *       progress[data-ideogram-progress]  its value; hidden when nothing is under way
 *       [data-ideogram-thumb]          gets an <img> when there is one ([data-ideogram-alt] on it
 *                                      is its alternative text)
 *       [data-ideogram-error]          text: why it failed
 *     [data-ideogram-refresh][id]      a region that is fetched anew when a picture ends
 *     [data-ideogram-live]             a live region (aria-live) that tells each change once
 *   [data-ideogram-show][hidden]       shown, because it needs this script
 *   textarea[data-ideogram-limit="n"]  counted into the next [data-ideogram-counter]
 *   form[data-ideogram-make]           prices on the button, styles and shapes of the model
 *
 * An "ideogram:change" event (detail: the picture as the server told it) bubbles from every
 * element whose status changed. Markup that is added later (an inline row) needs nothing: the
 * next look finds it; `ideogram:look` on the document asks for one now.
 */
"use strict";
{
    const FINAL = new Set(["draft", "completed", "failed", "cancelled"]);
    const FIRST = 2000;       // ms until the first look, and after each change
    const SLOWEST = 30000;
    const SLOWER = 1.25;      // each look without news waits this much longer
    const STILL = 30 * 60000; // without news for so long, we stop until the page is looked at again
    const MOST = 200;         // the server answers about so many at once

    let wait = FIRST;
    let timer = null;
    let lastNews = Date.now();
    let asking = false;

    const unfinished = (root) =>
        [...root.querySelectorAll("[data-ideogram-image]")].filter(
            (one) => !FINAL.has(one.dataset.ideogramStatus) &&
                one.closest("[data-ideogram-status-url]") === root,
        );

    const roots = () => [...document.querySelectorAll("[data-ideogram-status-url]")];

    function schedule() {
        clearTimeout(timer);
        timer = null;
        if (document.hidden || Date.now() - lastNews > STILL) {
            return;
        }
        if (roots().some((root) => unfinished(root).length)) {
            timer = setTimeout(look, wait);
        }
    }

    async function look() {
        if (asking || document.hidden) {
            return;
        }
        asking = true;
        let news = false;
        try {
            // One request per address: a form with five pictures in it asks once.
            const byAddress = new Map();
            for (const root of roots()) {
                const key = `${root.dataset.ideogramStatusUrl} ${root.dataset.ideogramToken || ""}`;
                byAddress.set(key, [...(byAddress.get(key) || []), root]);
            }
            for (const group of byAddress.values()) {
                news = (await ask(group)) || news;
            }
        } catch {
            // Offline, or the server is being restarted: the next look comes later.
        } finally {
            asking = false;
        }
        if (news) {
            lastNews = Date.now();
        }
        wait = news ? FIRST : Math.min(wait * SLOWER, SLOWEST);
        schedule();
    }

    async function ask(group) {
        const ids = new Set(
            group.flatMap(unfinished).map((one) => one.dataset.ideogramImage),
        );
        if (!ids.size) {
            return false;
        }
        const address = new URL(group[0].dataset.ideogramStatusUrl, document.baseURI);
        address.searchParams.set("ids", [...ids].slice(0, MOST).join(","));
        if (group[0].dataset.ideogramToken) {
            address.searchParams.set("token", group[0].dataset.ideogramToken);
        }
        const answer = await fetch(address, {
            credentials: "same-origin",
            headers: { Accept: "application/json" },
        });
        if (!answer.ok) {
            return false;
        }
        const { images } = await answer.json();
        let news = false;
        for (const root of group) {
            news = bringUpToDate(root, images) || news;
        }
        return news;
    }

    function bringUpToDate(root, images) {
        const told = new Map();
        let news = false;
        let ended = false;
        for (const image of images) {
            for (const one of root.querySelectorAll(`[data-ideogram-image="${CSS.escape(image.uuid)}"]`)) {
                const changed = one.dataset.ideogramStatus !== image.status;
                news = fill(one, image) || changed || news;
                if (changed) {
                    one.dataset.ideogramStatus = image.status;
                    ended = ended || image.finished;
                    if (one.dataset.ideogramName || !told.has(image.uuid)) {
                        const name = one.dataset.ideogramName;
                        told.set(image.uuid, name ? `${name}: ${image.label}` : image.label);
                    }
                    one.dispatchEvent(
                        new CustomEvent("ideogram:change", { bubbles: true, detail: image }),
                    );
                }
            }
        }
        if (told.size) {
            speak(root, [...told.values()].join(". "));
        }
        if (ended) {
            refresh(root);
        }
        return news;
    }

    // The parts that belong to this picture and not to another one inside it.
    const parts = (one, selector) =>
        [...one.querySelectorAll(selector)].filter(
            (part) => part.closest("[data-ideogram-image]") === one,
        );

    function fill(one, image) {
        let news = false;
        for (const label of parts(one, "[data-ideogram-label]")) {
            label.textContent = image.label;
        }
        for (const error of parts(one, "[data-ideogram-error]")) {
            error.textContent = image.error || "";
        }
        for (const bar of parts(one, "progress[data-ideogram-progress]")) {
            bar.hidden = FINAL.has(image.status);
            if (image.progress === null) {
                bar.removeAttribute("value");
            } else if (bar.value !== image.progress) {
                bar.value = image.progress;
                news = true;
            }
        }
        for (const box of parts(one, "[data-ideogram-thumb]")) {
            show(box, image);
        }
        return news;
    }

    function show(box, image) {
        let picture = box.querySelector("img");
        if (!image.thumbnail || (picture && picture.getAttribute("src") === image.thumbnail)) {
            return;
        }
        if (!picture) {
            picture = document.createElement("img");
            picture.alt = box.dataset.ideogramAlt || "";
            picture.decoding = "async";
            box.append(picture);
        }
        if (image.width && image.height) {
            picture.width = image.width;
            picture.height = image.height;
        }
        picture.src = image.thumbnail;
    }

    function speak(root, text) {
        const live = root.querySelector("[data-ideogram-live]");
        if (live) {
            live.textContent = text;
        }
    }

    // What can be done next, and the large picture, are the server's to say. Only regions that
    // hold nothing typed are marked, so nobody loses a word.
    async function refresh(root) {
        const regions = [...root.querySelectorAll("[data-ideogram-refresh][id]")];
        if (!regions.length) {
            return;
        }
        const answer = await fetch(location.href, { credentials: "same-origin" });
        if (!answer.ok) {
            return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const region of regions) {
            const fresh = page.getElementById(region.id);
            if (fresh) {
                const focused = region.contains(document.activeElement);
                region.replaceWith(document.adoptNode(fresh));
                if (focused) {
                    fresh.tabIndex = -1;
                    fresh.focus();
                }
            }
        }
    }

    function wakeUp() {
        if (!document.hidden) {
            lastNews = Date.now();
            wait = FIRST;
            clearTimeout(timer);
            look();
        }
    }

    // --- the make form --------------------------------------------------------------------------

    function countCharacters(area) {
        const limit = Number(area.dataset.ideogramLimit);
        const counter = area.parentElement.querySelector("[data-ideogram-counter]");
        if (!counter) {
            return;
        }
        const count = () => {
            // As the provider counts: UTF-16 code units, a line end being one.
            counter.textContent = `${area.value.length} / ${limit}`;
            counter.classList.toggle("ideogram-over", area.value.length > limit);
        };
        counter.hidden = false;
        area.addEventListener("input", count);
        count();
    }

    function restrict(select, known, key) {
        if (!select) {
            return;
        }
        for (const option of select.options) {
            const fits = !option.value || !known.length || known.includes(key(option.value));
            // What is chosen stays visible: the server's sentence explains it, silence would not.
            option.hidden = !fits && !option.selected;
            option.disabled = !fits && !option.selected;
        }
        for (const group of select.querySelectorAll("optgroup")) {
            group.hidden = [...group.children].every((option) => option.hidden);
        }
    }

    function makeForm(form) {
        const button = form.querySelector("[data-ideogram-make-label]");
        const field = (name) => form.elements.namedItem(name);
        const update = () => {
            const radio = form.querySelector('input[name="model"]:checked');
            if (!radio || !radio.dataset.ideogramLabels) {
                return;
            }
            const labels = JSON.parse(radio.dataset.ideogramLabels);
            const speed = field("rendering_speed")?.value || "";
            const count = Number(field("count")?.value || 1);
            if (button) {
                button.textContent = (labels[speed] || labels[""])[count - 1];
            }
            restrict(field("style_type"), JSON.parse(radio.dataset.ideogramStyles), (v) => v.toLowerCase());
            restrict(field("aspect_ratio"), JSON.parse(radio.dataset.ideogramShapes), (v) => v);
        };
        form.addEventListener("change", update);
        // The browser may put back what was typed before, after this script has run.
        addEventListener("pageshow", update);
        update();
    }

    function start() {
        document.querySelectorAll("[data-ideogram-show][hidden]").forEach((one) => {
            one.hidden = false;
        });
        document.querySelectorAll("textarea[data-ideogram-limit]").forEach(countCharacters);
        document.querySelectorAll("form[data-ideogram-make]").forEach(makeForm);
        document.addEventListener("visibilitychange", wakeUp);
        document.addEventListener("ideogram:look", wakeUp);
        document.addEventListener("formset:added", wakeUp);
        addEventListener("focus", () => {
            if (timer === null) {
                wakeUp();
            }
        });
        schedule();
    }

    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", start);
    } else {
        start();
    }
}
