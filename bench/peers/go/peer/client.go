package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tries          = 5
	requestTimeout = 30 * time.Second
	// A token is renewed so long before it ends.
	renewAhead = time.Minute
)

// Partner Center's answers begin with one.
var byteOrderMark = []byte("\xef\xbb\xbf")

// client asks one API with a token that it renews.
type client struct {
	api  apiConfig
	http *http.Client

	mutex   sync.Mutex
	token   string
	expires time.Time
}

func newClient(api apiConfig, transport http.RoundTripper) *client {
	return &client{api: api, http: &http.Client{Transport: transport, Timeout: requestTimeout}}
}

// bearer returns a good token; refused is one that the API did not take.
func (c *client) bearer(ctx context.Context, refused string) (string, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.token != "" && c.token != refused && time.Now().Before(c.expires) {
		return c.token, nil
	}
	form := url.Values{"client_id": {c.api.ClientID}, "client_secret": {c.api.ClientSecret}}
	if c.api.RefreshToken != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", c.api.RefreshToken)
		form.Set("scope", "https://api.partnercenter.microsoft.com/.default")
	} else {
		form.Set("grant_type", "client_credentials")
		form.Set("scope", "elements.um.user.read.all elements.cbprotected.read.all")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("token request: %s", response.Status)
	}
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int    `json:"expires_in"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", err
	}
	c.token = answer.AccessToken
	c.expires = time.Now().Add(time.Duration(answer.ExpiresIn)*time.Second - renewAhead)
	if answer.RefreshToken != "" {
		c.api.RefreshToken = answer.RefreshToken
	}
	return c.token, nil
}

// get asks for a page and decodes it, trying again what may go better then.
func (c *client) get(ctx context.Context, method, address string, headers map[string]string, into any) error {
	var refused string
	var last error
	for try := range tries {
		if try > 0 && refused == "" {
			time.Sleep(time.Duration(1<<try) * 250 * time.Millisecond)
		}
		token, err := c.bearer(ctx, refused)
		if err != nil {
			return err
		}
		refused = ""
		body, status, wait, err := c.send(ctx, method, address, headers, token)
		switch {
		case err != nil:
			last = err
		case status == http.StatusOK:
			return json.Unmarshal(bytes.TrimPrefix(body, byteOrderMark), into)
		case status == http.StatusNoContent:
			return nil
		case status == http.StatusUnauthorized && try == 0:
			refused = token
			last = fmt.Errorf("status %d", status)
		case status == http.StatusTooManyRequests || status >= 500:
			last = fmt.Errorf("status %d", status)
			time.Sleep(wait)
		default:
			return fmt.Errorf("status %d", status)
		}
	}
	return last
}

func (c *client) send(
	ctx context.Context, method, address string, headers map[string]string, token string,
) (body []byte, status int, wait time.Duration, err error) {
	var content io.Reader
	if method == http.MethodPost {
		content = bytes.NewReader([]byte("{}"))
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, 0, 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if content != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, 0, 0, err
	}
	defer response.Body.Close()
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	body, err = io.ReadAll(response.Body)
	return body, response.StatusCode, time.Duration(seconds) * time.Second, err
}

// A page of AvePoint's listings.
type page[T any] struct {
	Data     []T `json:"data"`
	Metadata struct {
		TotalCount int `json:"totalCount"`
	} `json:"metadata"`
}

// list reads a tenant's listing page by page.
func list[T any](ctx context.Context, p *poller, method, path string, each func(*T)) error {
	for index, rows := 1, 0; ; index++ {
		var answer page[T]
		address := fmt.Sprintf("%s/partner/external/v3%s?pageIndex=%d&pageSize=%d", p.config.Elements.URL, path, index, p.config.PageSize)
		if err := p.elements.get(ctx, method, address, nil, &answer); err != nil {
			return err
		}
		for i := range answer.Data {
			each(&answer.Data[i])
		}
		rows += len(answer.Data)
		if len(answer.Data) == 0 || rows >= answer.Metadata.TotalCount {
			return nil
		}
	}
}

// A page of Partner Center's listings.
type partnerPage struct {
	Items []partnerUser `json:"items"`
	Links struct {
		Next struct {
			URI     string `json:"uri"`
			Headers []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"headers"`
		} `json:"next"`
	} `json:"links"`
}

const deletedFilter = `{"Field":"UserStatus","Value":"Inactive","Operator":"equals"}`

// listPartner reads a tenant's users in Partner Center, those who exist or the deleted ones.
func listPartner(ctx context.Context, p *poller, t tenant, deleted bool, each func(*partnerUser)) error {
	base := p.config.PartnerCenter.URL + "/v1"
	uri := fmt.Sprintf("/customers/%s/users?size=500", t.TenantID)
	if deleted {
		uri += "&filter=" + url.QueryEscape(deletedFilter)
	}
	correlation := guid()
	var continuation string
	for uri != "" {
		headers := map[string]string{"MS-RequestId": guid(), "MS-CorrelationId": correlation}
		if continuation != "" {
			headers["MS-ContinuationToken"] = continuation
		}
		var answer partnerPage
		if err := p.partner.get(ctx, http.MethodGet, base+uri, headers, &answer); err != nil {
			return err
		}
		for i := range answer.Items {
			each(&answer.Items[i])
		}
		uri, continuation = answer.Links.Next.URI, ""
		for _, header := range answer.Links.Next.Headers {
			if strings.EqualFold(header.Key, "MS-ContinuationToken") {
				continuation = header.Value
			}
		}
	}
	return nil
}

func guid() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
