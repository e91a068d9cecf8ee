//! Curves as text and as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// What a cost depends on, and how.
pub(crate) struct Curve {
    pub(crate) file: &'static str,
    pub(crate) axis: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
    /// Where no line is.
    pub(crate) legend: SeriesLabelPosition,
}

const COLOURS: [RGBColor; 3] =
    [RGBColor(31, 119, 180), RGBColor(214, 39, 40), RGBColor(44, 160, 44)];

impl Curve {
    pub(crate) fn print(&self) {
        println!("{} ({}; by {})", self.file, self.unit, self.axis);
        for (name, points) in &self.lines {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x}: {y:.3}")).collect();
            println!("  {name:<16} {}", points.join("  "));
        }
    }

    pub(crate) fn draw(&self) -> Result<(), Box<dyn Error>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/manual/costs");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}.svg", self.file.replace(' ', "-")));
        let root = SVGBackend::new(&file, (560, 300)).into_drawing_area();
        root.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let top = points().map(|(_, y)| *y).fold(0.0, f64::max) * 1.15;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..right, 0.0..top)?;
        chart
            .configure_mesh()
            .x_label_formatter(&|x| format!("{x}"))
            .x_desc(self.axis)
            .y_desc(self.unit)
            .max_light_lines(0)
            .draw()?;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS) {
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            let legend = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour);
            chart.draw_series(line)?.label(*name).legend(legend);
            chart
                .draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        let legend = self.legend.clone();
        chart.configure_series_labels().position(legend).background_style(WHITE).draw()?;
        root.present()?;
        Ok(())
    }
}
