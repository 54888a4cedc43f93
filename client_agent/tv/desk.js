/* 站务: the administrator's pages. Each file of pages adds its own with Desk.add; the tab shows one tile for each.

   A page: {name, order, icon, title, about, load, draw, footer}
     icon    the d of an SVG path, drawn in strokes in a box of 24 × 24
     title   the word of its tile; about: the word of the line under it, or function (summary) → text
     load    the path it is read from each time it is opened or acts.again() is called, or nothing
     draw    function (main, told, acts) → rows of stops; told is what load answered, null until it has
     footer  the word of the line at the bottom
     wanted  function → the stop that has the focus when the page is opened, or nothing
     hidden  true where no tile shows it: another page opens it
     back    function (acts) → true where Back stays on the page (a part of it was open), or nothing

   What is asked over the whole screen (a PIN, a prompt) is a layer: TV.open({key, digit, paint, dropped}), TV.close(it). */
(function () {
  'use strict';
  var Views = TV.Views, el = Views.el, stop = Views.stop, A_ROW = 4;
  var Desk = TV.Desk = { told: {} }, pages = [];

  Desk.add = function (page) {
    pages.push(page);
    pages.sort(function (a, b) { return a.order - b.order; });
  };
  /* Numbers on the tiles: name → what its part of the agent says in short. */
  Desk.summarise = function (done) {
    TV.get('/api/desk', function (status, answer) { if (status === 200) { Desk.told.summary = answer; done(); } });
  };
  /* Filled in by the pages: a key was pressed anywhere; the screen is painted. */
  Desk.pressed = Desk.paint = function () {};
  Desk.page = function (view) {
    for (var i = 0; i < pages.length; i++) { if ('desk-' + pages[i].name === view) { return pages[i]; } }
    return null;
  };

  function icon(path) {
    var space = 'http' + '://www.w3.org/2000/svg', svg = document.createElementNS(space, 'svg'), line = document.createElementNS(space, 'path');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    line.setAttribute('d', path);
    svg.appendChild(line);
    return svg;
  }
  Desk.icon = icon;

  function tile(page, acts) {
    var about = typeof page.about === 'function' ? page.about(Desk.told.summary) : TV.say(page.about);
    return stop('tile-' + page.name, 'tile', function () { acts.desk(page.name); },
      [icon(page.icon), el('b', '', TV.say(page.title)), el('span', '', about)]);
  }

  Views.desk = function (data, acts) {
    return function (main) {
      main.textContent = '';
      var out = [], box = el('div', 'tiles'), row = [];
      pages.forEach(function (page) {
        if (page.hidden) { return; }
        if (row.length === A_ROW) { row = []; }
        if (!row.length) { out.push(row); }
        var made = tile(page, acts);
        row.push(made);
        box.appendChild(made);
      });
      main.appendChild(el('div', 'scroll-window', null, el('div', 'scroll', null, box)));
      return out;
    };
  };

  /* The view of one page. */
  Desk.view = function (page, acts) {
    return function (main) {
      main.textContent = '';
      main.appendChild(el('h1', 'desk-title', TV.say(page.title)));
      return page.draw(main, page.load ? Desk.told[page.name] || null : {}, acts) || [];
    };
  };

  /* A line of a list: what, how it is, and a colour (good, poor, or none). */
  Desk.line = function (what, how, mood) { return el('div', 'desk-line ' + (mood || ''), null, el('span', '', what), el('b', '', how)); };
  Desk.size = function (bytes) {
    if (bytes >= 1e9) { return (bytes / 1e9).toFixed(1) + ' GB'; }
    return bytes >= 1e6 ? Math.round(bytes / 1e6) + ' MB' : Math.round(bytes / 1e3) + ' KB';
  };
}());
