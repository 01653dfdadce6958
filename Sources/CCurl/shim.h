#pragma once
#include <curl/curl.h>

// libcurl's option calls are variadic, which Swift cannot call: one typed wrapper for each kind of argument.

static inline CURLcode ant_curl_set_long(CURL *easy, CURLoption option, long value)
{
	return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ant_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value)
{
	return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ant_curl_set_text(CURL *easy, CURLoption option, const char *value)
{
	return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ant_curl_set_pointer(CURL *easy, CURLoption option, void *value)
{
	return curl_easy_setopt(easy, option, value);
}

typedef size_t (*ant_curl_write)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode ant_curl_set_write(CURL *easy, ant_curl_write function)
{
	return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, function);
}

static inline long ant_curl_long(CURL *easy, CURLINFO info)
{
	long value = 0;
	return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

static inline curl_off_t ant_curl_offset(CURL *easy, CURLINFO info)
{
	curl_off_t value = -1;
	return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : -1;
}

static inline void *ant_curl_private(CURL *easy)
{
	char *value = 0;
	return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &value) == CURLE_OK ? value : 0;
}

static inline CURLMcode ant_curl_multi_set_long(CURLM *multi, CURLMoption option, long value)
{
	return curl_multi_setopt(multi, option, value);
}

/// The handle and result of the next finished transfer, or null.
static inline CURL *ant_curl_next_done(CURLM *multi, CURLcode *result)
{
	int left;
	CURLMsg *message;
	while ((message = curl_multi_info_read(multi, &left))) {
		if (message->msg == CURLMSG_DONE) {
			*result = message->data.result;
			return message->easy_handle;
		}
	}
	return 0;
}
