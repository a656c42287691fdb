/* Adapts unfold's pages to a Content-Security-Policy without `unsafe-eval` and `unsafe-inline`.

   Alpine's CSP build evaluates expressions without `eval`. It reads only data of the page, so unfold's functions become
   data here, and the expressions that it cannot parse are methods (config/admin/template_loader.py puts them in). */

const STYLES = new Set(["background-image", "height", "max-height", "width"]);
const SIDEBAR = "sidebarDesktopOpen";

function applyStyles(root) {
  for (const element of root.querySelectorAll("[data-style]")) {
    for (const declaration of element.dataset.style.split(/;\s*/)) {
      const [name, value] = declaration.split(/:\s*(.*)/);
      if (STYLES.has(name.trim())) {
        element.style.setProperty(name.trim(), value);
      }
    }
  }
}

function page(tab) {
  return {
    activeTab: tab,
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem(SIDEBAR) !== "0",
    init() {
      this.activeTab = getCurrentTab() || tab;
      this.$watch("sidebarDesktopOpen", (value) => localStorage.setItem(SIDEBAR, value ? "1" : "0"));
    },
    formAction() {
      const { pathname, search } = window.location;
      const hash = this.activeTab && this.activeTab !== "general" ? `#${this.activeTab}` : "";
      return pathname + search + hash;
    },
    sortRecords: (event) => sortRecords(event),
    moveRecords: (event) => moveRecords(event),
    copyValue: (id) => navigator.clipboard.writeText(document.getElementById(id).value),
  };
}

function searchField() {
  return {
    ...searchDropdown(),
    openResults() {
      this.openSearchResults = true;
      this.currentIndex = 0;
    },
    closeResults(input) {
      this.openSearchResults = false;
      if (input.value === "") {
        input.blur();
      } else {
        input.value = "";
      }
    },
  };
}

function searchPalette() {
  return {
    ...searchCommand(),
    selectPlain(event, remember) {
      if (!event.metaKey && !event.ctrlKey) {
        this.selectItem(remember, false);
      }
    },
  };
}

// The theme in the user settings, if any, replaces the one that the browser stores.
function chosenTheme(chosen) {
  return chosen ? { ...theme(), adminTheme: chosen } : theme();
}

function arrayField() {
  return {
    items: [],
    add() {
      this.items.push({ key: Date.now() });
    },
    takeName(element) {
      const input = element.getElementsByTagName("input")[0];
      if (input.name.includes("__prefix__")) {
        input.name = element.parentElement.getElementsByTagName("input")[0].name;
      }
    },
  };
}

document.addEventListener("alpine:init", () => {
  Alpine.data("theme", chosenTheme);
  Alpine.data("searchForm", searchForm);
  Alpine.data("page", page);
  Alpine.data("searchDropdown", searchField);
  Alpine.data("searchCommand", searchPalette);
  Alpine.data("arrayField", arrayField);
});
document.addEventListener("DOMContentLoaded", () => applyStyles(document));
// unfold's own listener fails for forms that are not inlines.
document.addEventListener(
  "htmx:afterSettle",
  (event) => {
    if (!event.target.dataset?.inlineFormset) {
      event.stopPropagation();
    }
  },
  true,
);
document.addEventListener("htmx:load", (event) => applyStyles(event.detail.elt.parentElement || document));
Object.assign(htmx.config, { allowEval: false, includeIndicatorStyles: false });
