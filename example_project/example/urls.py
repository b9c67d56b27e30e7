from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ideogram/", include("ideogram_django.urls")),
    path("", include("articles.urls")),
    # Files of the demo; a real site lets its web server or its storage serve them.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
