//! An explanation for machines.

use serde::{Serialize, Serializer};

use super::report::{Explanation, Step, StepOutcome, TokenContents};

/// Writes an explanation as this object. Members without a value are left out.
///
/// ```json
/// {
///   "checks": [{
///     "advice": [{"side": "client, provider or server", "text": "what to change"}],
///     "check": "audience", "expected": "…", "found": "…",
///     "outcome": "passed, failed, unavailable, would-pass, would-fail or not-reached",
///     "summary": "what is wrong", "unverified": true
///   }],
///   "conclusion": "the verdict and its reason",
///   "public": false,
///   "token": {"other_claims": ["their names"], "roles": ["…"], "scopes": ["…"]},
///   "verdict": "accepted, refused or undecided"
/// }
/// ```
impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = ReportView {
            checks: self.steps().iter().map(|step| StepView::of(step, self)).collect(),
            conclusion: self.conclusion(),
            public: self.is_public(),
            token: ContentsView::of(self.contents()),
            verdict: self.verdict().name(),
        };
        report.serialize(serializer)
    }
}

// Members are in alphabetical order.

#[derive(Serialize)]
struct ReportView<'a> {
    checks: Vec<StepView<'a>>,
    conclusion: String,
    public: bool,
    token: ContentsView<'a>,
    verdict: &'static str,
}

#[derive(Default, Serialize)]
struct StepView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Vec<AdviceView>>,
    check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    unverified: bool,
}

#[derive(Serialize)]
struct AdviceView {
    side: &'static str,
    text: String,
}

#[derive(Serialize)]
struct ContentsView<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    other_claims: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes: &'a [String],
}

impl<'a> StepView<'a> {
    fn of(step: &'a Step, report: &Explanation) -> Self {
        let view =
            Self { check: step.check.name(), outcome: step.outcome.name(), ..Self::default() };
        match &step.outcome {
            StepOutcome::Passed { found, expected } => {
                Self { found: found.as_deref(), expected: expected.as_deref(), ..view }
            }
            StepOutcome::Failed(finding) => {
                let advice = finding.advice().into_iter();
                let advice = advice
                    .map(|one| AdviceView { side: one.side.name(), text: one.text })
                    .collect();
                Self {
                    advice: Some(advice),
                    expected: finding.expected(),
                    found: finding.found(),
                    summary: Some(finding.summary().into_owned()),
                    ..view
                }
            }
            StepOutcome::WouldPass { found, expected } => Self {
                found: found.as_deref(),
                expected: expected.as_deref(),
                unverified: report.is_unverified(step),
                ..view
            },
            StepOutcome::WouldFail { summary, found, expected } => Self {
                found: found.as_deref(),
                expected: expected.as_deref(),
                summary: Some(summary.clone()),
                unverified: report.is_unverified(step),
                ..view
            },
            StepOutcome::Unavailable(why) => Self { summary: Some(why.clone()), ..view },
            StepOutcome::NotReached => view,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> ContentsView<'a> {
    fn of(contents: &'a TokenContents) -> Self {
        let TokenContents { scopes, roles, other_claims } = contents;
        Self { other_claims, roles, scopes }
    }
}
