// Bars of viewing minutes, by day (upright) and by programme (lying, most first).
(function () {
  "use strict";
  var data = document.getElementById("figures");
  if (!data || !window.echarts) return;
  var figures = JSON.parse(data.textContent);
  var font = getComputedStyle(document.body).fontFamily;

  function options(kind, name) {
    var rows = figures[kind];
    var lying = kind === "programmes";
    var names = { type: "category", data: rows.names, inverse: lying, axisTick: { show: false },
      axisLabel: lying ? { width: 130, overflow: "truncate" } : { formatter: function (day) { return day.slice(5); } } };
    var values = { type: "value", splitLine: { lineStyle: { color: "#e8ece8" } } };
    return {
      animation: false,
      textStyle: { fontFamily: font },
      grid: { left: 8, right: 24, top: 16, bottom: 8, containLabel: true },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: function (v) { return v.toFixed(1); } },
      xAxis: lying ? values : names,
      yAxis: lying ? names : values,
      series: [{ type: "bar", name: name, data: rows.values, barMaxWidth: 28,
        itemStyle: { color: lying ? "#b9802a" : "#11695b", borderRadius: lying ? [0, 4, 4, 0] : [4, 4, 0, 0] } }]
    };
  }

  var charts = Array.prototype.map.call(document.querySelectorAll(".yb-chart"), function (place) {
    var chart = window.echarts.init(place);
    chart.setOption(options(place.dataset.kind, place.dataset.name));
    return chart;
  });
  window.addEventListener("resize", function () { charts.forEach(function (chart) { chart.resize(); }); });
})();
