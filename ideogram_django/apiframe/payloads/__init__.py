"""Everything that goes over the wire, and the only place that knows the provider's JSON names."""

from ideogram_django.apiframe.payloads.incoming import (
    parse_account,
    parse_error,
    parse_job,
    parse_job_accepted,
    parse_job_page,
    parse_models,
    parse_upload,
    parse_webhook,
)
from ideogram_django.apiframe.payloads.outgoing import (
    UPLOAD_FIELD,
    carries_address,
    job_list_query,
    model_list_query,
    same_request,
    submit_body,
)
from ideogram_django.apiframe.payloads.shapes import (
    Account,
    ErrorBody,
    Job,
    JobAccepted,
    JobPage,
    JobStatus,
    ModelPrice,
    Upload,
    WebhookCall,
)
from ideogram_django.apiframe.strict_json import parse_json

__all__ = [
    "UPLOAD_FIELD",
    "Account",
    "ErrorBody",
    "Job",
    "JobAccepted",
    "JobPage",
    "JobStatus",
    "ModelPrice",
    "Upload",
    "WebhookCall",
    "carries_address",
    "job_list_query",
    "model_list_query",
    "parse_account",
    "parse_error",
    "parse_job",
    "parse_job_accepted",
    "parse_job_page",
    "parse_json",
    "parse_models",
    "parse_upload",
    "parse_webhook",
    "same_request",
    "submit_body",
]
