//! A squarified treemap: a rectangle cut into one area for each weight, as large as the weight is and as near to a square
//! as can be (M. Bruls, K. Huizing, J. J. van Wijk: "Squarified Treemaps", 2000). Pure: numbers in, numbers out.

use std::cmp::Reverse;

/// A rectangle, in the units of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Area {
    /// What it covers.
    pub fn surface(&self) -> f64 {
        self.width * self.height
    }

    /// The same, smaller by a margin on all sides and by more at the top; never less than nothing.
    pub fn inset(&self, margin: f64, top: f64) -> Area {
        Area {
            x: self.x + margin,
            y: self.y + margin + top,
            width: (self.width - 2.0 * margin).max(0.0),
            height: (self.height - 2.0 * margin - top).max(0.0),
        }
    }

    fn shorter(&self) -> f64 {
        self.width.min(self.height)
    }

    /// Cuts a strip of this thickness off: at the left of what is wide, at the top of what is high. The strip, and the rest.
    fn cut(&self, thickness: f64) -> (Area, Area) {
        let Area { x, y, width, height } = *self;
        // NaN, of a side that rounding left nothing of, is no thickness; `min` passes it over.
        if width >= height {
            let thickness = thickness.min(width);
            (Area { width: thickness, ..*self }, Area { x: x + thickness, width: width - thickness, ..*self })
        } else {
            let thickness = thickness.min(height);
            (Area { height: thickness, ..*self }, Area { y: y + thickness, height: height - thickness, ..*self })
        }
    }

    /// The part of a strip from one share of its length to another: along its longer side.
    fn part(&self, lies: bool, from: f64, to: f64) -> Area {
        if lies {
            Area { x: self.x + self.width * from, width: self.width * (to - from), ..*self }
        } else {
            Area { y: self.y + self.height * from, height: self.height * (to - from), ..*self }
        }
    }
}

/// One area for each weight, in the order of the weights. Areas do not overlap and fill `within`; what weighs nothing has an
/// area of nothing.
pub fn squarify(weights: &[u64], within: Area) -> Vec<Area> {
    let mut areas = vec![Area { width: 0.0, height: 0.0, ..within }; weights.len()];
    let mut order: Vec<(usize, u64)> = weights.iter().copied().enumerate().filter(|(_, weight)| *weight > 0).collect();
    order.sort_by_key(|(_, weight)| Reverse(*weight));
    let total: f64 = order.iter().map(|(_, weight)| *weight as f64).sum();
    let scaled: Vec<(usize, f64)> =
        order.iter().map(|(at, weight)| (*at, *weight as f64 / total * within.surface())).collect();
    let (mut rest, mut left) = (within, scaled.as_slice());
    while !left.is_empty() {
        let (row, others) = left.split_at(row_length(left, rest.shorter()));
        let sum: f64 = row.iter().map(|(_, surface)| surface).sum();
        // The last strip takes all that is left, whatever rounding made of it.
        let thickness = if others.is_empty() { f64::INFINITY } else { sum / rest.shorter() };
        // A strip at the top lies, one at the left stands.
        let lies = rest.width < rest.height;
        let (strip, remainder) = rest.cut(thickness);
        let mut from = 0.0_f64;
        for (number, (at, surface)) in row.iter().enumerate() {
            let to = if number + 1 == row.len() || sum <= 0.0 { 1.0 } else { from + surface / sum };
            areas[*at] = strip.part(lies, from, to);
            from = to;
        }
        (rest, left) = (remainder, others);
    }
    areas
}

/// How many of these, the largest first, make the best strip along a side: one more would be less square. At least one.
fn row_length(surfaces: &[(usize, f64)], side: f64) -> usize {
    let (mut sum, mut best) = (0.0_f64, f64::INFINITY);
    for (count, (_, surface)) in surfaces.iter().enumerate() {
        sum += surface;
        // Of a strip's areas the first is the largest and the last the smallest: one of them is the least square.
        let largest = surfaces.first().map_or(*surface, |(_, first)| *first);
        let square = side * side;
        let worst = (square * largest / (sum * sum)).max(sum * sum / (square * surface));
        if count > 0 && (worst > best || worst.is_nan()) {
            return count;
        }
        best = worst;
    }
    surfaces.len().max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WITHIN: Area = Area { x: 10.0, y: 20.0, width: 600.0, height: 400.0 };

    /// The paper's own example: 6 by 4, and these.
    #[test]
    fn the_papers_example_comes_out() {
        let areas = squarify(&[6, 6, 4, 3, 2, 2, 1], Area { x: 0.0, y: 0.0, width: 6.0, height: 4.0 });
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        for (at, (x, y, width, height)) in
            [(0.0, 0.0, 3.0, 2.0), (0.0, 2.0, 3.0, 2.0), (3.0, 0.0, 12.0 / 7.0, 7.0 / 3.0)].into_iter().enumerate()
        {
            let area = areas[at];
            assert!(near(area.x, x) && near(area.y, y), "{at}: {area:?}");
            assert!(near(area.width, width) && near(area.height, height), "{at}: {area:?}");
        }
    }

    #[test]
    fn order_is_kept_and_nothing_is_nothing() {
        let areas = squarify(&[1, 0, 3], WITHIN);
        let surfaces: Vec<f64> = areas.iter().map(Area::surface).collect();
        assert!((surfaces[0] - 60_000.0).abs() < 1e-6 && (surfaces[2] - 180_000.0).abs() < 1e-6, "{surfaces:?}");
        assert_eq!(surfaces[1], 0.0);
        assert!(squarify(&[], WITHIN).is_empty());
        assert!(squarify(&[0, 0], WITHIN).iter().all(|area| area.surface() == 0.0));
        assert_eq!(squarify(&[7], WITHIN), [WITHIN]);
    }

    #[test]
    fn weights_far_apart_and_flat_pictures_give_numbers() {
        for within in [WITHIN, Area { height: 0.0, ..WITHIN }, Area { width: 0.0, height: 0.0, ..WITHIN }] {
            for area in squarify(&[u64::MAX, 1, 1, u64::MAX / 3, 0], within) {
                let numbers = [area.x, area.y, area.width, area.height];
                assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{area:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn areas_are_as_large_as_their_weights_and_do_not_overlap(weights in prop::collection::vec(0_u64..1_000_000, 1..60)) {
            let areas = squarify(&weights, WITHIN);
            let total: u64 = weights.iter().sum();
            let near = |one: f64, other: f64| (one - other).abs() < 1e-6;
            for (weight, area) in weights.iter().zip(&areas) {
                let share = *weight as f64 / total.max(1) as f64 * WITHIN.surface();
                prop_assert!(near(area.surface(), share), "{} of {}: {:?}", weight, total, area);
                prop_assert!(area.x > WITHIN.x - 1e-9 && area.x + area.width < WITHIN.x + WITHIN.width + 1e-9);
                prop_assert!(area.y > WITHIN.y - 1e-9 && area.y + area.height < WITHIN.y + WITHIN.height + 1e-9);
            }
            if total > 0 {
                prop_assert!(near(areas.iter().map(Area::surface).sum(), WITHIN.surface()));
            }
            for (number, one) in areas.iter().enumerate() {
                for other in &areas[number + 1..] {
                    let wide = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
                    let high = (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
                    prop_assert!(wide < 1e-6 || high < 1e-6, "{:?} over {:?}", one, other);
                }
            }
        }
    }
}
