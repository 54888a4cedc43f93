// Hours on each shelf, lying bars: what is new in the last 30 days stands out.
(function () {
  "use strict";
  var data = document.getElementById("figures");
  if (!data || !window.echarts) return;
  var figures = JSON.parse(data.textContent);
  var font = getComputedStyle(document.body).fontFamily;

  function options(rows, place) {
    var older = rows.values.map(function (hours, at) { return Math.max(0, hours - rows.fresh[at]); });
    function bars(name, values, colour, round) {
      return { type: "bar", stack: "hours", name: name, data: values, barMaxWidth: 20,
        itemStyle: { color: colour, borderRadius: round ? [0, 4, 4, 0] : 0 } };
    }
    return {
      animation: false,
      textStyle: { fontFamily: font },
      grid: { left: 132, right: 24, top: 28, bottom: 26 },
      legend: { top: 0, right: 8, itemHeight: 10 },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: function (v) { return v.toFixed(1); } },
      xAxis: { type: "value", splitLine: { lineStyle: { color: "#e8ece8" } } },
      yAxis: { type: "category", inverse: true, data: rows.names, axisTick: { show: false },
        axisLabel: { width: 120, overflow: "truncate" } },
      series: [bars(place.dataset.name, older, "#11695b", false), bars(place.dataset.new, rows.fresh, "#d9a441", true)]
    };
  }

  var charts = Array.prototype.map.call(document.querySelectorAll(".yb-chart"), function (place) {
    var rows = figures[place.dataset.kind];
    place.style.height = Math.max(110, 50 + rows.names.length * 27) + "px";
    var chart = window.echarts.init(place);
    chart.setOption(options(rows, place));
    return chart;
  });
  window.addEventListener("resize", function () { charts.forEach(function (chart) { chart.resize(); }); });
})();
