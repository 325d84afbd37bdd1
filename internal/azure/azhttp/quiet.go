package azhttp

import "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"

// AZURE_SDK_GO_LOGGING makes Microsoft's libraries print every refusal with its whole body, which can quote what was
// sent. --verbose tells of every call without.
func init() { log.SetListener(nil) }
