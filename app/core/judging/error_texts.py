"""How providers word the errors that the table of outcomes asks for: codes and phrases, in lower case.

Codes are compared whole, with what stands in fields such as `code`, `type` and `status`. Phrases are looked for in
sentences (`wire.error_bodies`), some of them only in their first clause: there the provider speaks for himself, and
later he may repeat what the caller said. tests/core/error_bodies has what they were taken from.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from app.wire.error_bodies import ErrorBody, first_clause


class Wording(NamedTuple):
    """How one thing is said."""

    codes: frozenset[str]
    phrases: re.Pattern[str]

    def heard(self, said: ErrorBody, *, first: bool = False) -> bool:
        """True where the error says so; with `first` only the first clause of each sentence counts."""
        if self.codes & said.codes:
            return True
        return any(self.phrases.search(first_clause(text) if first else text) for text in said.sentences)


def _wording(codes: str, *phrases: str) -> Wording:
    return Wording(frozenset(codes.split()), re.compile("|".join(phrases)))


QUOTA: Final = _wording(
    "insufficient_quota insufficient_user_quota insufficient_balance insufficient_credits billing_hard_limit_reached "
    "billing_not_active exceeded_current_quota_error quota_exhausted pre_consume_token_quota_failed arrearage "
    "allocationquota.freetieronly usage_limit_reached usage_limit_exceeded usage_not_included api_key_quota_exhausted "
    "free_tier_budget_exceeded daily_limit_exceeded global_fixed_window_quota_exhausted "
    "subscription:free-usage-exhausted 1113 1308 1310 1316 1008",
    r"credit balance",
    r"\busage[- ]limits?\b",
    r"insufficient[_ ](?:account |user |token )?(?:balance|quota|credits?|funds)",
    r"(?:not enough|out of|no (?:more|remaining)|requires more|used all available) (?:balance|quota|credits?|funds)",
    r"\b(?:balance|quota|credits?) (?:is |are |has been |was )?(?:insufficient|not enough|exhausted|used up)",
    r"included free usage|spending limit|billing hard limit|free tier.{0,40}exhausted",
    r"(?:余额|额度|点数|积分|配额)[^，。]{0,12}(?:不足|用尽|用完|耗尽)|欠费|使用上限|用量上限|无可用资源包",
)
ACCOUNT_LIMIT: Final = _wording(
    "", r"\b(?:ip|account|global)(?:[- ]level)? rate[- ]?limit", r"\borgani[sz]ation (?:rate )?limit"
)
RATE_LIMIT: Final = _wording(
    "429 rate_limit_error rate_limit_exceeded rate_limit_reached_error rate_limited too_many_requests "
    "resource_exhausted throttling throttling.ratequota throttlingexception limit_requests limit_burst_rate "
    "requests_limit_exceeded tokens_limit_exceeded 1302",
    r"\brate[- _]?limit",
    r"too many (?:concurrent )?requests|too many tokens, please wait",
    r"requests? (?:per|limit)",
    r"请求(?:过于|太|次数|频率)[^，。]{0,8}(?:频繁|过多|快|高|超|限)|速率限制|频率限制|限流|并发[^，。]{0,8}(?:限制|过高|上限)",
)
SUSPENDED: Final = _wording(
    "account_suspended account_disabled account_banned user_suspended organization_disabled consumer_suspended "
    "service_disabled",
    r"\b(?:account|organi[sz]ation|team|workspace|consumer|project|user)\b.{0,60}\b(?:suspended|disabled|banned|restricted)\b",
    r"\bservice\b.{0,40}\bdisabled\b|\bapi has not been used in project\b",
    r"(?:账[户号]|用户|组织|服务)[^，。]{0,12}(?:封禁|禁用|停用|冻结|被封)",
)
_WRONG: Final = (
    r"(?:not valid|no longer valid|invalid|incorrect|wrong|expired|revoked|deleted|disabled|inactive|not found"
    r"|leaked|reported as leaked)"
)
KEY: Final = _wording(
    "api_key_invalid invalid_api_key invalidapikey invalid_key incorrect_api_key incorrect_api_key_error "
    "api_key_expired expired_api_key api_key_revoked revoked_api_key invalid_api_key_error account_deactivated "
    "invalid_iam_token access_token_expired unrecognizedclientexception expiredtokenexception",
    rf"\b{_WRONG} (?:x-)?(?:api|secret|subscription|access)[- _]?key\b",
    rf"\bapi[- _]?key\b(?::? (?!not\b)[\w*.…-]+){{0,4}} {_WRONG}\b",
    r"\b(?:account|organi[sz]ation)\b.{0,60}\bdeactivated\b|\borgani[sz]ation has been (?:disabled|restricted)\b",
    r"(?:无效|错误|过期)的?\s?(?:api[- ]?key|密钥)",
    r"(?:api[- ]?key|密钥)[^，。]{0,8}(?:无效|错误|过期|失效|不存在|被禁用)",
)
CREDENTIAL: Final = _wording(
    "invalid_authentication_error invalid_token token_expired expired_token token_revoked 1002 1003",
    r"\b(?:invalid|incorrect|expired|revoked) (?:(?:access|auth|authentication|authorization|bearer|security|oauth) )?"
    r"(?:tokens?|keys?|credentials?|authentication)\b",
    r"\btoken\b(?: (?!not\b)[\w*.…-]+){0,6} (?:invalid|incorrect|expired|revoked)\b|\btoken expired\b",
    r"\binvalid authentication credentials\b|\bauthentication fails?\b",
    r"无效的令牌|令牌[^，。]{0,8}(?:无效|过期|不可用|不正确)|身份验证失败|鉴权失败|token[^，。]{0,8}(?:无效|过期|非法)",
)
"""What only a 401 or 403 may mean by it: on a 400, an invalid token may be one of JSON."""
LENGTH: Final = _wording(
    "context_length_exceeded context_too_large context_window_exceeded model_context_window_exceeded "
    "exceed_context_size_error max_context_length_exceeded 1261",
    r"context[- _](?:length|window|size)|maximum context|too many (?:input |prompt |total )?tokens",
    r"(?:prompt|input)(?: (?:text|message|length|token count|tokens?|is|are|was))*"
    r"(?: \([^)]*\))? (?:too long|exceeds? (?:the |model'?s? )?max)",
    r"(?:input|prompt) (?:token count|length|tokens?)\b.{0,60}\bexceeds?\b|range of input length should be",
    r"exceed\w* (?:the )?model(?:'s)? token limit|\btokens \+ .{0,40}must be <=",
    r"too large for model with \d+ maximum|maximum (?:prompt|input) length",
    r"exceeds? the maximum number of (?:input )?tokens",
    r"上下文[^，。]{0,12}(?:超|过长|限制)|(?:输入|提示词|prompt)[^，。]{0,16}(?:超长|过长|超出|超过)",
)
FILTER: Final = _wording(
    "content_filter content_filtered content_policy_violation content_policy responsibleaipolicyviolation "
    "data_inspection_failed datainspectionfailed moderation_blocked prohibited_content image_safety safety "
    "sensitive_words_detected sensitive_content invalid_prompt usage_policy_violation 1301 1026 1027",
    r"content[- _](?:filter|management polic|polic|moderation|exists risk)|safety system|data inspection",
    r"inappropriate content|sensitive (?:content|words?)",
    r"\b(?:prompt|input|request|content) (?:was|were|is|has been) flagged",
    r"violat\w* .{0,60}(?:polic(?:y|ies)|guidelines)|(?:usage|safety) guidelines|blocked .{0,40}(?:safety|prohibited)",
    r"敏感|违规|内容安全|不安全|安全审核",
)
_WITHOUT: Final = r"(?:(?!param|tool|image|input|feature|function|schema|stream|argument|field|[.;:]\s)[^\n]){0,80}?"
MODEL: Final = _wording(
    "model_not_found modelnotfound model_not_exist model_not_available model_unavailable model_not_supported "
    "model_not_allowed unsupported_model invalid_model unknown_model model_deprecated model_decommissioned "
    "deploymentnotfound deployment_not_found 1211",
    rf"\b(?:models?|deployment|engine)\b{_WITHOUT}\b(?:(?:not|n't) exist|not found|(?:is|are) unsupported|unavailable"
    r"|not (?:currently )?(?:supported|available|enabled)(?! (?:with|in combination))|no longer (?:available|supported)"
    r"|decommissioned|(?:is|been) (?:deprecated|retired|shut down)|end of life|(?:not|n't) have access)"
    r"|\bnot allowed to use (?:publisher )?model",
    r"\b(?:unknown|unsupported|invalid|nonexistent|no such|not supported) model\b(?! (?:param|input|setting|config))",
    r"\bnot a valid model|\bnot found the model|\bno such deployment",
    r"\bno (?:allowed providers|endpoints) (?:are )?(?:available|found)",
    r"\Amodels?:\s*\S*\Z",
    r"模型[^，。]{0,40}(?:不存在|未找到|找不到|不可用|已下线|停止服务|不支持(?!图|工具|函数|参数|视|音|流|多模态|该))",
    r"(?:不支持|不存在|未找到|没有)[^，。]{0,8}模型",
)
OVERLOAD: Final = _wording(
    "overloaded_error engine_overloaded_error engine_overloaded overloaded model_overloaded server_overloaded "
    "slow_down no_available_channel 529 1305",
    r"\boverload",
    r"\b(?:at|over|no|insufficient|out of) capacity\b|capacity (?:exceeded|constraints|reached)",
    r"\bhigh (?:demand|load|traffic)|\bload (?:is )?too high",
    r"\b(?:service|server|model|engine|system) is (?:too |currently )?busy\b",
    r"负载[^，。]{0,8}(?:过高|饱和)|访问量过大|(?:服务|系统|模型|服务器)[^，。]{0,6}(?:繁忙|过载)",
    r"无可用渠道|no available channel",
)
